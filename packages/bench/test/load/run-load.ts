import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';
import type { Summary } from '../../src/load/scenario.js';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** the results file */
  readonly results: Summary | undefined;
}

/** `npm run load -- --profile smoke --tool autocannon …`, past the preparation of the machine. */
export function runLoad(url: string, token: string, ...args: string[]): Promise<Ended> {
  const directory = mkdtempSync(join(tmpdir(), 'novacron-load-'));
  const json = join(directory, 'results.json');
  const cli = join(repositoryRoot, 'packages', 'bench', 'dist', 'load', 'cli.js');
  const env = { ...inheritedEnvironment(), BASE_URL: url, AUTH_TOKEN: token };
  const all = [cli, '--profile', 'smoke', '--tool', 'autocannon', '--json', json, ...args];
  return new Promise((done) => {
    execFile(process.execPath, all, { env }, (error, stdout, stderr) => {
      done({ code: error ? Number(error.code) : 0, stdout, stderr, results: read(json) });
      rmSync(directory, { recursive: true });
    });
  });
}

function read(file: string): Summary | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Summary;
  } catch {
    return undefined; // the run ended before it had results
  }
}
