import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { redisPassword, redisUserLines, type RedisService } from '@novacron/provisioning/redis-users';
import { inheritedEnvironment } from '../config.js';
import type { Program } from '../supervisor/processes.js';
import { findProgram, requireProgram } from './programs.js';

export interface RedisOptions {
  readonly name: string;
  readonly dir: string;
  readonly port: number;
  readonly password: string;
}

/**
 * The server's whole configuration. All data in Redis can be rebuilt, so Redis writes no files, has a memory limit,
 * and evicts the least used entries.
 */
export function redisConf(options: Omit<RedisOptions, 'name'> & { readonly bind?: string }): string {
  const lines = [
    `bind ${options.bind ?? '127.0.0.1'}`,
    `port ${options.port}`,
    `dir ${options.dir}`,
    `requirepass ${options.password}`,
    ...redisUserLines(options.password),
    'daemonize no',
    'save ""',
    'appendonly no',
    'maxmemory 256mb',
    'maxmemory-policy allkeys-lfu',
    'latency-tracking no',
  ];
  return `${lines.join('\n')}\n`;
}

export function prepareRedis(options: RedisOptions): void {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(options.dir, 'redis.conf'), redisConf(options), { mode: 0o600 });
}

function answers(options: RedisOptions): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(options.port, '127.0.0.1');
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('connect', () => socket.write(`AUTH ${options.password}\r\nPING\r\n`));
    socket.once('data', (reply) => {
      done(reply.toString().startsWith('+OK'));
      socket.end();
    });
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

/** The program that runs a prepared Redis (or Valkey). */
export function redisProgram(options: RedisOptions): Program {
  const config = join(options.dir, 'redis.conf');
  if (!existsSync(config)) prepareRedis(options);
  return {
    name: options.name,
    file: findProgram('redis-server') ?? findProgram('valkey-server') ?? requireProgram('redis-server'),
    args: [config],
    env: inheritedEnvironment(),
    // redis-server replaces its command line with its address.
    marker: `redis-server 127.0.0.1:${options.port}`,
    stopSignal: 'SIGTERM',
    stopGraceMs: 5000,
    ready: () => answers(options),
  };
}

/** The URL for clients: a service connects as its own user, people as the default user, which may do everything. */
export function redisUrl(options: Pick<RedisOptions, 'port' | 'password'>, service?: RedisService): string {
  return `redis://${redisLogin(options.password, service)}@127.0.0.1:${options.port}`;
}

/** `user:password` of a URL. */
export function redisLogin(adminPassword: string, service?: RedisService): string {
  return service === undefined ? `:${adminPassword}` : `${service}:${redisPassword(adminPassword, service)}`;
}
