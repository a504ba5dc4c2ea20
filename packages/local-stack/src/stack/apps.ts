import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NatsService } from '@novacron/provisioning/nats-permissions';
import { type Agent, listAgents } from '../home/agents.js';
import { opsPorts } from '../home/ports.js';
import { StackError } from '../stack-error.js';
import type { Component } from '../supervisor/component.js';
import { agentEnv, seedEnv, serviceEnv, type StackSettings } from './environment.js';
import { serviceComponent } from './services.js';

/** The four services: the folder below apps/ and the schema (also the NATS user). */
export const services = [
  { app: 'vm-orchestrator', schema: 'orchestrator' },
  { app: 'metrics-ingest', schema: 'metrics' },
  { app: 'cache-invalidator', schema: 'cache' },
  { app: 'gateway', schema: 'gateway' },
] as const satisfies { app: keyof typeof opsPorts; schema: NatsService }[];

export function serviceComponents(settings: StackSettings, repository: string): Component[] {
  return services.map(({ app, schema }) => {
    const opsPort = opsPorts[app] + settings.config.portOffset;
    const env = serviceEnv(settings, schema, opsPort);
    return serviceComponent({ name: app, app, repository, home: settings.paths.home, opsPort, env });
  });
}

export function agentComponent(settings: StackSettings, repository: string, agent: Agent): Component {
  const opsPort = agent.opsPort + settings.config.portOffset;
  const env = agentEnv(settings, agent);
  const { name } = agent;
  return serviceComponent({ name, app: 'host-agent', repository, home: settings.paths.home, opsPort, env });
}

export function agentComponents(settings: StackSettings, repository: string): Component[] {
  return listAgents(settings.paths).map((agent) => agentComponent(settings, repository, agent));
}

/** Creates tenant `demo` and the two tokens by the gateway's seed command. A repetition changes nothing. */
export async function seedTokens(settings: StackSettings, repository: string): Promise<void> {
  const seed = join(repository, 'apps', 'gateway', 'dist', 'seed.js');
  if (!existsSync(seed)) throw new StackError(`${seed} is missing`, 'Build first: npm start does');
  const env = seedEnv(settings, opsPorts.gateway + settings.config.portOffset);
  try {
    await promisify(execFile)(process.execPath, [seed], { env, timeout: 60_000, cwd: repository });
  } catch (error) {
    const { stderr, stdout } = error as { stderr?: string; stdout?: string };
    const last = (stderr || stdout || String(error)).trim().split('\n').at(-1);
    throw new StackError(`the gateway's seed command failed: ${last}`, undefined, { cause: error });
  }
}
