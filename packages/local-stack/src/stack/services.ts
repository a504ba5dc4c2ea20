import { existsSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { StackError } from '../stack-error.js';
import type { Component } from '../supervisor/component.js';
import type { Program } from '../supervisor/processes.js';

/** A Node program of this repository, `apps/<app>/dist/main.js`, with an ops listener. */
export interface ServiceOptions {
  readonly name: string;
  readonly app: string;
  readonly repository: string;
  readonly home: string;
  readonly opsPort: number;
  readonly env: Readonly<Record<string, string>>;
}

// By default V8's young generation grows to tens of megabytes, which an idle service never returns.
const nodeFlags = ['--max-semi-space-size=4'];

/** Whether a service's /ready answers 200, and the failed checks when it does not. */
export function readiness(port: number): Promise<{ ready: boolean; missing?: string }> {
  return new Promise((done) => {
    const absent = { ready: false, missing: 'does not answer' };
    const request = get(
      { host: '127.0.0.1', port, path: '/ready', timeout: 2000, agent: false },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.once('end', () =>
          done(response.statusCode === 200 ? { ready: true } : { ready: false, missing: missingIn(body) }),
        );
        response.once('error', () => done(absent));
      },
    );
    request.once('timeout', () => request.destroy());
    request.once('error', () => done(absent));
  });
}

function missingIn(body: string): string {
  try {
    const { checks = {} } = JSON.parse(body) as { checks?: Record<string, { ok: boolean; detail?: string }> };
    const missing = Object.entries(checks).filter(([, check]) => !check.ok);
    return missing
      .map(([name, { detail }]) => (detail ? `${name}: ${detail}` : name))
      .join('; ')
      .slice(0, 200);
  } catch {
    return body.slice(0, 200); // another body than /ready's JSON is shown unchanged
  }
}

const mainFile = (options: ServiceOptions) =>
  join(options.repository, 'apps', options.app, 'dist', 'main.js');

export function serviceProgram(options: ServiceOptions): Program {
  const main = mainFile(options);
  const marker = `--stack=${options.home} --name=${options.name}`;
  return {
    name: options.name,
    file: process.execPath,
    // The last two arguments distinguish two stacks' processes, in `ps` and for the supervisor.
    args: [...nodeFlags, main, `--stack=${options.home}`, `--name=${options.name}`],
    // V8's compile cache saves half of a start's time on a busy machine.
    env: { ...options.env, NODE_COMPILE_CACHE: join(options.home, 'compile-cache') },
    cwd: options.repository,
    marker,
    stopSignal: 'SIGTERM',
    // longer than a service's own drain, which takes at most 15 s
    stopGraceMs: 17_000,
    ready: async () => (await readiness(options.opsPort)).ready,
  };
}

/** A service under supervision. The supervisor does not restart it while it waits for its dependencies. */
export function serviceComponent(options: ServiceOptions): Component {
  const prepare = (): void => {
    const main = mainFile(options);
    if (!existsSync(main)) throw new StackError(`${main} is missing`, 'Build first: npm start does');
  };
  const { name, opsPort } = options;
  return { name, opsPort, prepare, program: () => serviceProgram(options), readyWithinMs: 90_000 };
}
