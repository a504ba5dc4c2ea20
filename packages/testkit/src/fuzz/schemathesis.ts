import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';

/** Pinned, because another version has other checks. */
const VERSION = '4.32.5';
const folder = join(repositoryRoot, '.toolchain', `schemathesis-${VERSION}`);
/** Its configuration, and hooks in Python. */
const fuzzFolder = join(repositoryRoot, 'packages', 'testkit', 'fuzz');
const program = join(folder, 'bin', 'schemathesis');
const run = promisify(execFile);

/** Installs schemathesis into `.toolchain` once. @returns the reason when it cannot be installed, else undefined */
export async function installSchemathesis(): Promise<string | undefined> {
  if (existsSync(join(folder, 'complete'))) return undefined;
  try {
    await run('python3', ['-m', 'venv', folder]);
  } catch (error) {
    return `python3 with venv is missing: ${firstLine(error)}`;
  }
  try {
    const pip = join(folder, 'bin', 'pip');
    await run(pip, ['install', '--quiet', '--disable-pip-version-check', `schemathesis==${VERSION}`]);
    await run('touch', [join(folder, 'complete')]);
  } catch (error) {
    return `schemathesis ${VERSION} cannot be installed: ${firstLine(error)}`;
  }
  return undefined;
}

function firstLine(error: unknown): string {
  return (error as Error).message.split('\n')[0] ?? '';
}

export interface Round {
  readonly url: string;
  readonly token: string;
  /** Generated requests for each operation. */
  readonly examples: number;
  readonly seed: number;
  readonly maxSeconds: number;
}

/** Runs one round of generated requests as one role. @returns whether there were no findings, and the output */
export function fuzz(round: Round): Promise<{ readonly clean: boolean; readonly output: string }> {
  const options = {
    '--url': round.url,
    '--header': `Authorization: Bearer ${round.token}`,
    '--max-examples': round.examples,
    '--seed': round.seed,
    '--max-time': round.maxSeconds,
    '--request-timeout': 70,
    '--warnings': 'off',
  };
  const flags = ['--continue-on-failure', '--no-color', '--no-shrink'];
  const args = [
    '--config-file',
    join(fuzzFolder, 'schemathesis.toml'),
    'run',
    `${round.url}/openapi.json`,
  ].concat(
    Object.entries(options).flatMap(([name, value]) => [name, String(value)]),
    flags,
  );
  const env = {
    ...inheritedEnvironment(),
    PYTHONPATH: fuzzFolder,
    SCHEMATHESIS_HOOKS: 'novacron_hooks',
    PYTHONDONTWRITEBYTECODE: '1',
  };
  // It writes files about its findings into its working directory.
  const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ clean: code === 0, output }));
  });
}
