import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';
import { serviceProgram } from '@novacron/local-stack/stack/services';
import { PrivateServer } from './private-server.js';
import type { Environment } from './servers.js';

/** One process of a built service, `apps/<app>/dist/main.js`: start(), kill(), stop(), and its log. */
export class ServiceProcess extends PrivateServer {
  private readonly logPath: string;

  /** @param env from servers.env() or servers.agentEnv() @param name distinguishes two processes of one app */
  constructor(app: string, env: Environment, name = app) {
    const home = env['NOVACRON_HOME'];
    const opsPort = Number(env['NOVACRON_OPS_PORT']);
    if (!home || !opsPort) throw new Error('NOVACRON_HOME and NOVACRON_OPS_PORT must be set');
    const all = { ...inheritedEnvironment(), ...env };
    super(serviceProgram({ name, app, repository: repositoryRoot, home, opsPort, env: all }), home);
    this.logPath = join(home, `${name}.log`);
  }

  /** Its log so far. */
  log(): string {
    return readFileSync(this.logPath, 'utf8');
  }
}

/** Starts a service and resolves when its /ready answers 200. */
export async function startService(app: string, env: Environment, name = app): Promise<ServiceProcess> {
  const service = new ServiceProcess(app, env, name);
  await service.start();
  return service;
}
