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

// V8 lets its young generation grow to tens of megabytes that an idle service never gives back.
const nodeFlags = ['--max-semi-space-size=4'];

/** What a service answers on its ops port's /ready: whether it is, and else what is missing. Nobody there: not ready. */
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
    return body.slice(0, 200); // not our JSON: shown as it is
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
    // The last two arguments are for people and for us: they tell two stacks' processes apart in `ps`.
    args: [...nodeFlags, main, `--stack=${options.home}`, `--name=${options.name}`],
    // What V8 compiled at the last start: half of a start's time on a busy machine.
    env: { ...options.env, NODE_COMPILE_CACHE: join(options.home, 'compile-cache') },
    cwd: options.repository,
    marker,
    stopSignal: 'SIGTERM',
    // a service's own drain is bounded at 15 s
    stopGraceMs: 17_000,
    ready: async () => (await readiness(options.opsPort)).ready,
  };
}

/** A service under supervision. It may wait long for its dependencies without being restarted for it. */
export function serviceComponent(options: ServiceOptions): Component {
  const prepare = (): void => {
    const main = mainFile(options);
    if (!existsSync(main)) throw new StackError(`${main} is missing`, 'Build first: npm start does');
  };
  const { name, opsPort } = options;
  return { name, opsPort, prepare, program: () => serviceProgram(options), readyWithinMs: 90_000 };
}
