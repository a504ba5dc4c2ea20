import { join } from 'node:path';
import type { Layout } from '../layout.js';
import { freePortFrom, isFree, portOwner } from '../servers/ports.js';
import { StackError } from '../stack-error.js';
import { readStateFile, writeStateFile } from '../state-file.js';

/** Default ports of the private servers. They differ from the standard ports, where other servers may run. */
const privateServers = {
  'postgres-primary': 15_432,
  'postgres-replica-1': 15_433,
  'postgres-replica-2': 15_434,
  'postgres-replica-3': 15_435,
  redis: 16_379,
  nats: 14_222,
} as const;
export type PrivateServerName = keyof typeof privateServers;

/** Ports of the ops listeners (health, ready, metrics), fixed so that a scraper finds them. */
export const opsPorts = {
  gateway: 9100,
  'vm-orchestrator': 9101,
  'metrics-ingest': 9102,
  'cache-invalidator': 9103,
  'host-agent-local': 9104,
  'host-agent-sim': 9105,
} as const;

export type StackPorts = Readonly<Record<PrivateServerName, number>>;

function remembered(paths: Layout): Partial<Record<string, number>> {
  const file = join(paths.home, 'ports.json');
  return (readStateFile(file, `Remove it: ports are chosen anew`) ?? {}) as Partial<Record<string, number>>;
}

/** Ports for the private servers: the last run's ports where they are free, else the next free ones. */
export async function choosePorts(paths: Layout, offset: number): Promise<StackPorts> {
  const before = remembered(paths);
  const keep = before['offset'] === offset;
  const taken = new Set<number>();
  const chosen: Record<string, number> = {};
  for (const [name, base] of Object.entries(privateServers)) {
    const last = keep ? before[name] : undefined;
    const port = last !== undefined && (await isFree(last)) ? last : await freePortFrom(base + offset, taken);
    taken.add(port);
    chosen[name] = port;
  }
  writeStateFile(join(paths.home, 'ports.json'), { offset, ...chosen });
  return chosen as StackPorts;
}

/** The ports of the current run. */
export function currentPorts(paths: Layout): StackPorts {
  return remembered(paths) as StackPorts;
}

/** @throws StackError when `port` is taken, with the process that holds it and the flag that chooses another */
export async function requirePort(port: number, host: string, flag: string): Promise<void> {
  if (await isFree(port, host)) return;
  const owner = await portOwner(port);
  const holder = owner ? `${owner.name} (process ${owner.pid})` : 'another process';
  throw new StackError(`port ${port} is taken by ${holder}`, `Choose another one: ${flag}`);
}
