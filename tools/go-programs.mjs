// Builds the Go programs for the checks and the cluster from the Go module proxy into .toolchain. go.mod and go.sum pin
// them. helm and the cluster come from one module, so that they have the same version of Kubernetes.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Failure, phase, quietly } from './progress.mjs';
import { root } from './toolchain.mjs';

const source = join(root, 'tools');
const goMod = () => readFileSync(join(source, 'go.mod'), 'utf8');

/** The Kubernetes version of the cluster, of helm's checks, and of the schemas in chart/kinds. */
export const KUBERNETES = '1.36.3';

const HELM = 'helm.sh/helm/v3/cmd/helm';
const KUBERNETES_PROGRAMS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'];
const DURATIONS = { chart: 'some minutes', cluster: '10 to 40 minutes' };
/** The programs of each set, with their packages. `cluster` takes 18 minutes of CPU and 4 GB of disk the first time. */
const SETS = {
  chart: {
    helm: HELM,
    'helm-docs': 'github.com/norwoodj/helm-docs/cmd/helm-docs',
    'helm-unittest': 'github.com/helm-unittest/helm-unittest/cmd/helm-unittest',
    kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform',
  },
  cluster: {
    ...Object.fromEntries(KUBERNETES_PROGRAMS.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`])),
    kwok: 'sigs.k8s.io/kwok/cmd/kwok',
    etcd: 'go.etcd.io/etcd/server/v3',
    helm: HELM,
  },
};
const folderOf = (set) => join(root, '.toolchain', set);

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a program in .toolchain, otherwise on PATH, otherwise undefined. */
export function findTool(name) {
  const sets = ['chart', 'cluster'].filter((set) => name in SETS[set]);
  const folders = [...sets.map(folderOf), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** The programs of a set that are neither built nor on PATH. */
export const missingPrograms = (set) => Object.keys(SETS[set]).filter((name) => findTool(name) === undefined);

export function hasGo() {
  return spawnSync('go', ['version']).status === 0;
}

/** Versions that the linker sets: helm's own version and its Kubernetes version, and the version of Kubernetes. */
function linkerFlags() {
  const [, helm] = /helm\.sh\/helm\/v3 (v\S+)/.exec(goMod());
  const [major, minor] = KUBERNETES.split('.');
  const base = 'k8s.io/component-base/version';
  const values = {
    'helm.sh/helm/v3/internal/version.version': helm,
    [`${base}.gitVersion`]: `v${KUBERNETES}`,
    [`${base}.gitMajor`]: major,
    [`${base}.gitMinor`]: minor,
    [`${base}.gitTreeState`]: 'clean',
    [`${base}.buildDate`]: '1970-01-01T00:00:00Z',
  };
  for (const place of ['pkg/chartutil', 'pkg/lint/rules']) {
    values[`helm.sh/helm/v3/${place}.k8sVersionMajor`] = major;
    values[`helm.sh/helm/v3/${place}.k8sVersionMinor`] = minor;
  }
  const flags = Object.entries(values).map(([name, value]) => `-X ${name}=${value}`);
  return ['-s', '-w', ...flags].join(' ');
}

/** Builds a set into .toolchain; Go skips what is current. @throws Failure when Go is missing, or the build fails */
export async function buildPrograms(set) {
  const bin = folderOf(set);
  const names = Object.keys(SETS[set]).join(', ');
  if (!hasGo()) {
    throw new Failure(`${names} are Go programs: install Go 1.26 or newer (https://go.dev/dl), then again`);
  }
  mkdirSync(bin, { recursive: true });
  // Without debug information Kubernetes needs a third of the disk. With GOGC=400 the garbage collector rarely runs.
  const env = { ...process.env, CGO_ENABLED: '0', GOGC: '400', GOFLAGS: '-buildvcs=false -mod=readonly' };
  const flags = ['-p', '2', '-trimpath', '-gcflags=all=-dwarf=false', '-ldflags', linkerFlags()];
  const args = ['build', ...flags, '-o', `${bin}/`, ...Object.values(SETS[set])];
  const hint = 'The reason is above; the Go module proxy must be reachable';
  await phase(`${names} (${DURATIONS[set]} on a new machine)`, () =>
    quietly('go', args, { cwd: source, env }, hint),
  );
  // Go names a program after its folder.
  if (set === 'cluster') copyFileSync(join(bin, 'server'), join(bin, 'etcd'));
}
