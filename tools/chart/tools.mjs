// The Go programs that check the chart.
import { buildPrograms, findProgram } from '../go-programs.mjs';

export { KUBERNETES } from '../go-programs.mjs';

const PACKAGES = {
  helm: 'helm.sh/helm/v3/cmd/helm',
  'helm-docs': 'github.com/norwoodj/helm-docs/cmd/helm-docs',
  'helm-unittest': 'github.com/helm-unittest/helm-unittest/cmd/helm-unittest',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform',
};

export const PROGRAMS = Object.keys(PACKAGES);

/** The path of a program in .toolchain, otherwise on PATH, otherwise undefined. */
export const findTool = (name) => findProgram(name, ['chart']);

/** Builds the programs that are missing. @throws Failure */
export function install() {
  return buildPrograms({
    set: 'chart',
    title: `${PROGRAMS.join(', ')} (some minutes on a new machine)`,
    packages: Object.values(PACKAGES),
  });
}
