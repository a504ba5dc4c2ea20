import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Api } from '../api.js';
import type { BenchStack } from '../bench-stack.js';
import type { BaselineSettings } from './baseline-settings.js';

/** The list as a default Nest gateway and microservice make it, on the stack's own NATS and primary. */
export interface DefaultNest {
  readonly api: Api;
  readonly pids: Readonly<Record<'nest-service' | 'nest-gateway', number>>;
}

/** The user that row-level security lets pass: the baseline pays for no tenant's transaction. */
function settingsFor(stack: BenchStack): BaselineSettings {
  const nats = new URL(stack.process.env()['NOVACRON_NATS_ADMIN_URL'] ?? '');
  return {
    nats: { servers: [nats.host], user: nats.username, pass: nats.password },
    postgres: {
      host: '127.0.0.1',
      port: stack.primaryPort,
      database: 'novacron',
      username: 'orchestrator_sys',
      password: stack.secrets.roles.orchestrator.sys,
    },
  };
}

async function started(
  program: string,
  settings: BaselineSettings,
): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(join(import.meta.dirname, `${program}.js`), { env: { NODE_ENV: 'production' } });
  child.send(settings);
  const failed = once(child, 'exit').then(() => Promise.reject(new Error(`${program} does not start`)));
  const [{ port }] = (await Promise.race([once(child, 'message'), failed])) as [{ port: number }];
  failed.catch(() => undefined); // its end is ours from here on
  return { child, port };
}

/** Runs `work` with the baseline's two processes, which end with it. */
export async function withDefaultNest<T>(
  stack: BenchStack,
  work: (nest: DefaultNest) => Promise<T>,
): Promise<T> {
  const settings = settingsFor(stack);
  const service = await started('default-service', settings);
  try {
    const gateway = await started('default-gateway', settings);
    const api = new Api(`http://127.0.0.1:${gateway.port}`, 'none');
    try {
      return await work({
        api,
        pids: { 'nest-service': service.child.pid ?? 0, 'nest-gateway': gateway.child.pid ?? 0 },
      });
    } finally {
      await api.close();
      gateway.child.kill();
    }
  } finally {
    service.child.kill();
  }
}
