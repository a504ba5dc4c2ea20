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
  /** address to listen on (default loopback) */
  readonly host?: string;
  /** port of /healthz on loopback, when wanted */
  readonly monitorPort?: number;
  /** syncs every message to disk before it acknowledges it; needs nats-server 2.10 or newer */
  readonly syncAlways?: boolean;
}

function list(subjects: readonly string[]): string {
  return `[${subjects.map((subject) => JSON.stringify(subject)).join(', ')}]`;
}

/** One reply per request suffices. The server then forgets the request. */
const MAY_ANSWER = ', allow_responses: { max: 1, expires: "1m" }';

function userEntry(user: NatsUser): string {
  return `    { user: ${JSON.stringify(user.user)}, password: ${JSON.stringify(user.password)}, permissions: {
      publish: ${list(user.publish)}, subscribe: ${list(user.subscribe)}${user.answers ? MAY_ANSWER : ''} } }`;
}

/** The server's whole configuration file, for nats-server 2.9 and newer. */
export function natsConf(options: Omit<NatsOptions, 'name'>, users: readonly NatsUser[]): string {
  const monitor = options.monitorPort === undefined ? '' : `\nhttp: "127.0.0.1:${options.monitorPort}"`;
  // On a line of its own, so that a reader can remove it for an older server.
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

/** Writes the configuration. A running server reads new users on SIGHUP. */
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
      // The server's greeting shows whether JetStream is up.
      done(hello.toString().startsWith('INFO') && hello.toString().includes('"jetstream":true'));
      socket.destroy();
    });
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

/** The nats-server program with JetStream, for a prepared directory. */
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

/** The URL for clients. */
export function natsUrl(options: Pick<NatsOptions, 'port'>): string {
  return `nats://127.0.0.1:${options.port}`;
}
