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

const folderOf = (set) => join(root, '.toolchain', set);

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of program `name` in the given sets (`chart`, `cluster`), otherwise on PATH, otherwise undefined. */
export function findProgram(name, sets) {
  const folders = [...sets.map(folderOf), ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

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

/**
 * Builds `packages` into .toolchain/SET, which Go skips when they are current. `renamed` maps the name that Go gives a program to its
 * usual name. @throws Failure when Go is missing, or the build fails
 */
export async function buildPrograms({ set, packages, title, renamed = {} }) {
  const bin = folderOf(set);
  if (!hasGo()) {
    throw new Failure(`${title} are Go programs: install Go 1.26 or newer (https://go.dev/dl), then again`);
  }
  mkdirSync(bin, { recursive: true });
  // Without debug information Kubernetes needs a third of the disk. With GOGC=400 the garbage collector rarely runs.
  const env = { ...process.env, CGO_ENABLED: '0', GOGC: '400', GOFLAGS: '-buildvcs=false -mod=readonly' };
  const flags = ['-p', '2', '-trimpath', '-gcflags=all=-dwarf=false', '-ldflags', linkerFlags()];
  await phase(title, () =>
    quietly(
      'go',
      ['build', ...flags, '-o', `${bin}/`, ...packages],
      { cwd: source, env },
      'The reason is above; the Go module proxy must be reachable',
    ),
  );
  for (const [from, to] of Object.entries(renamed)) copyFileSync(join(bin, from), join(bin, to));
}
