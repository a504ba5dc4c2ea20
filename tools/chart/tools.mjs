// The Go programs that check the chart: pinned by go.mod and go.sum beside this file, built into .toolchain/chart.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Failure, phase, quietly } from '../progress.mjs';
import { root } from '../toolchain.mjs';

const source = join(root, 'tools', 'chart');
const bin = join(root, '.toolchain', 'chart');

/** The version of Kubernetes that helm takes the cluster to have; the schemas in kinds/ are of this one too. */
export const KUBERNETES = '1.36.3';

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Path of a program: ours, else the first on PATH, else undefined. */
export function findTool(name) {
  const folders = [bin, ...(process.env.PATH ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', 'tools.mjs', 'podsecurity/main.go'])
    hash.update(readFileSync(join(source, file)));
  return hash.digest('hex');
}

/** helm takes its own version, and the cluster's when there is none, from its linker. */
function linkerFlags() {
  const [, version] = /helm\.sh\/helm\/v3 (v\S+)/.exec(readFileSync(join(source, 'go.mod'), 'utf8'));
  const [major, minor] = KUBERNETES.split('.');
  const values = { 'helm.sh/helm/v3/internal/version.version': version };
  for (const place of ['pkg/chartutil', 'pkg/lint/rules']) {
    values[`helm.sh/helm/v3/${place}.k8sVersionMajor`] = major;
    values[`helm.sh/helm/v3/${place}.k8sVersionMinor`] = minor;
  }
  const flags = Object.entries(values).map(([name, value]) => `-X ${name}=${value}`);
  return ['-s', '-w', ...flags].join(' ');
}

/** Builds helm, helm-unittest, kubeconform and podsecurity; nothing to do when they are there. @throws Failure */
export async function install() {
  const stamp = join(bin, 'installed');
  const wanted = fingerprint();
  try {
    if (readFileSync(stamp, 'utf8') === wanted) return;
  } catch {
    // not installed yet
  }
  if (spawnSync('go', ['version']).status !== 0) {
    throw new Failure(
      'the chart’s tools are Go programs: install Go 1.26 or newer (https://go.dev/dl), then again',
    );
  }
  rmSync(bin, { recursive: true, force: true });
  mkdirSync(bin, { recursive: true });
  const env = { ...process.env, GOBIN: bin, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -mod=readonly' };
  const args = ['install', '-trimpath', '-ldflags', linkerFlags(), 'tool', './podsecurity'];
  await phase('helm, helm-unittest, kubeconform, podsecurity (some minutes on a new machine)', () =>
    quietly(
      'go',
      args,
      { cwd: source, env },
      'The reason stands above; the Go module proxy has to be reachable',
    ),
  );
  writeFileSync(stamp, wanted);
}
