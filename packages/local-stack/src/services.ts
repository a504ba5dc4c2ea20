import { existsSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import type { Component } from './component.js';
import type { Program } from './processes.js';
import { StackError } from './stack-error.js';

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

/** Status code of GET http://127.0.0.1:port/path; undefined when nobody answers within a second. */
export function httpStatus(port: number, path: string): Promise<number | undefined> {
  return new Promise((done) => {
    const request = get({ host: '127.0.0.1', port, path, timeout: 1000, agent: false }, (response) => {
      response.resume();
      done(response.statusCode);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => done(undefined));
  });
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
    env: options.env,
    cwd: options.repository,
    marker,
    stopSignal: 'SIGTERM',
    // a service's own drain is bounded at 15 s
    stopGraceMs: 17_000,
    ready: async () => (await httpStatus(options.opsPort, '/ready')) === 200,
  };
}

/** A service under supervision. It may wait long for its dependencies without being restarted for it. */
export function serviceComponent(options: ServiceOptions): Component {
  const prepare = (): void => {
    const main = mainFile(options);
    if (!existsSync(main)) throw new StackError(`${main} is missing`, 'Build first: npm start does');
  };
  return { name: options.name, prepare, program: () => serviceProgram(options), readyWithinMs: 90_000 };
}
