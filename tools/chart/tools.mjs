// The Go programs that check the chart.
import { buildPrograms, findProgram } from '../go-programs.mjs';

export { KUBERNETES } from '../go-programs.mjs';

/** Path of a program: the one built here, else the first on PATH, else undefined. */
export const findTool = (name) => findProgram(name, ['chart']);

/** Builds helm, helm-unittest, kubeconform and podsecurity; nothing to do when they are there. @throws Failure */
export function install() {
  return buildPrograms({
    set: 'chart',
    title: 'helm, helm-unittest, kubeconform, podsecurity (some minutes on a new machine)',
    packages: [
      'helm.sh/helm/v3/cmd/helm',
      'github.com/helm-unittest/helm-unittest/cmd/helm-unittest',
      'github.com/yannh/kubeconform/cmd/kubeconform',
      './chart/podsecurity',
    ],
  });
}
