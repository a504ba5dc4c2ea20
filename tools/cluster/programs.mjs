// The programs of the cluster: a real Kubernetes, kwok for its nodes, etcd, and helm of the same module.
import { buildPrograms, findProgram } from '../go-programs.mjs';

const KUBERNETES_PROGRAMS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'];

export const PROGRAMS = [...KUBERNETES_PROGRAMS, 'kwok', 'etcd', 'helm'];

/** Path of a program of the cluster, or undefined. */
export const findTool = (name) => findProgram(name, ['cluster', 'chart']);

/** Builds the programs; 18 minutes of CPU and 4 GB of disk on a machine that has never built them. @throws Failure */
export function build() {
  return buildPrograms({
    set: 'cluster',
    title: 'Kubernetes, kwok, etcd, helm (10 to 40 minutes on a new machine)',
    packages: [
      ...KUBERNETES_PROGRAMS.map((name) => `k8s.io/kubernetes/cmd/${name}`),
      'sigs.k8s.io/kwok/cmd/kwok',
      'go.etcd.io/etcd/server/v3',
      'helm.sh/helm/v3/cmd/helm',
    ],
    renamed: { server: 'etcd' },
  });
}
