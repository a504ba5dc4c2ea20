import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inheritedEnvironment, searchPath } from '@novacron/local-stack/config';
import { type Demands, loadDirectory } from './scenario.js';

/** Where k6 is, if it is installed. */
export function findK6(): string | undefined {
  return searchPath()
    .map((directory) => join(directory, 'k6'))
    .find((file) => existsSync(file));
}

export interface K6Options {
  readonly url: string;
  readonly token: string;
  readonly profile: string;
  readonly demands: Demands;
  /** the results file that it writes */
  readonly results: string;
}

/** Runs infra/load/k6.js; it cleans up by itself. @returns k6's exit code: 99 when a threshold does not hold */
export function runK6(k6: string, options: K6Options): Promise<number> {
  const env = {
    ...inheritedEnvironment(),
    BASE_URL: options.url,
    AUTH_TOKEN: options.token,
    PROFILE: options.profile,
    DEMANDS: options.demands,
    RESULTS: options.results,
  };
  const child = spawn(k6, ['run', '--include-system-env-vars', join(loadDirectory, 'k6.js')], {
    env,
    stdio: 'inherit',
  });
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('exit', (code) => done(code ?? 1));
  });
}
