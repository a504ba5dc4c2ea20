import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { NatsUser } from '@novacron/provisioning/nats-permissions';
import { inheritedEnvironment } from '../config.js';
import type { Program } from '../supervisor/processes.js';
import { requireProgram } from './programs.js';

export interface NatsOptions {
  readonly name: string;
  readonly dir: string;
  readonly port: number;
  /** address to listen on; loopback unless said otherwise */
  readonly host?: string;
  /** serves /healthz on loopback when given */
  readonly monitorPort?: number;
  /** writes every message to the disk before it is acknowledged; nats-server 2.10 and newer know it */
  readonly syncAlways?: boolean;
}

function list(subjects: readonly string[]): string {
  return `[${subjects.map((subject) => JSON.stringify(subject)).join(', ')}]`;
}

/** A second answer to one request has no use, and what was answered once is forgotten by the server. */
const MAY_ANSWER = ', allow_responses: { max: 1, expires: "1m" }';

function userEntry(user: NatsUser): string {
  return `    { user: ${JSON.stringify(user.user)}, password: ${JSON.stringify(user.password)}, permissions: {
      publish: ${list(user.publish)}, subscribe: ${list(user.subscribe)}${user.answers ? MAY_ANSWER : ''} } }`;
}

/** The server's whole configuration file; understood by nats-server 2.9 and newer. */
export function natsConf(options: Omit<NatsOptions, 'name'>, users: readonly NatsUser[]): string {
  const monitor = options.monitorPort === undefined ? '' : `\nhttp: "127.0.0.1:${options.monitorPort}"`;
  // On a line of its own, for who has to leave it out.
  const sync = options.syncAlways ? '\n  sync_interval: always' : '';
  return `server_name: novacron
host: ${JSON.stringify(options.host ?? '127.0.0.1')}
port: ${options.port}${monitor}
max_payload: 1MB
write_deadline: "10s"
jetstream: {
  store_dir: ${JSON.stringify(join(options.dir, 'jetstream'))}
  max_memory_store: 256MB
  max_file_store: 20GB${sync}
}
authorization: {
  timeout: 5
  users: [
${users.map(userEntry).join(',\n')}
  ]
}
`;
}

/** Writes the configuration; a running server takes new users on SIGHUP. */
export function prepareNats(options: NatsOptions, users: readonly NatsUser[]): void {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const file = natsConfFile(options);
  writeFileSync(`${file}.new`, natsConf(options, users), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function natsConfFile(options: Pick<NatsOptions, 'dir'>): string {
  return join(options.dir, 'nats.conf');
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('data', (hello) => {
      // The server says in its greeting whether JetStream is up already.
      done(hello.toString().startsWith('INFO') && hello.toString().includes('"jetstream":true'));
      socket.destroy();
    });
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

/** The program that runs a prepared nats-server with JetStream. */
export function natsProgram(options: NatsOptions): Program {
  const config = natsConfFile(options);
  return {
    name: options.name,
    file: requireProgram('nats-server'),
    args: ['-c', config],
    env: inheritedEnvironment(),
    marker: `-c ${config}`,
    stopSignal: 'SIGTERM',
    stopGraceMs: 10_000,
    ready: () => answers(options.port),
  };
}

/** Where clients connect to it. */
export function natsUrl(options: Pick<NatsOptions, 'port'>): string {
  return `nats://127.0.0.1:${options.port}`;
}
