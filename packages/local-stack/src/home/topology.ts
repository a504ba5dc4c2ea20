import { join } from 'node:path';
import type { Layout } from '../layout.js';
import { StackError } from '../stack-error.js';
import { readStateFile, writeStateFile } from '../state-file.js';

/** Every Postgres server that a home can have. A server keeps its name when a promotion changes its role. */
export const postgresNames = [
  'postgres-primary',
  'postgres-replica-1',
  'postgres-replica-2',
  'postgres-replica-3',
] as const;
export type PostgresName = (typeof postgresNames)[number];

/** The primary and the replicas that stream from it. */
export interface Topology {
  readonly primary: PostgresName;
  readonly replicas: readonly PostgresName[];
}

export const mostReplicas = postgresNames.length - 1;

const topologyFile = (paths: Layout) => join(paths.home, 'topology.json');

function remembered(paths: Layout): PostgresName {
  const found = readStateFile(topologyFile(paths)) as { primary?: PostgresName } | undefined;
  return postgresNames.find((name) => name === found?.primary) ?? 'postgres-primary';
}

/** The servers of a home with this number of replicas, without a primary that a promotion replaced. */
export function topologyOf(paths: Layout, replicas: number): Topology {
  const primary = remembered(paths);
  const others = postgresNames.filter((name) => name !== primary && name !== 'postgres-primary');
  if (replicas > others.length) {
    throw new StackError(`${replicas} replicas are more than this home can have`, `At most ${others.length}`);
  }
  return { primary, replicas: others.slice(0, replicas) };
}

/** Every server that may ever have run in a home, for ending and removing them. */
export function wholeTopology(paths: Layout): Topology {
  const primary = remembered(paths);
  return { primary, replicas: postgresNames.filter((name) => name !== primary) };
}

/** Records the new primary. */
export function rememberPrimary(paths: Layout, primary: PostgresName): void {
  writeStateFile(topologyFile(paths), { primary });
}

/** `topology` after the promotion of `name`, without the old primary. */
export function promoted(topology: Topology, name: string): Topology {
  const primary = topology.replicas.find((replica) => replica === name);
  if (primary === undefined) {
    const there =
      topology.replicas.length > 0 ? `There are: ${topology.replicas.join(', ')}` : 'There is none';
    throw new StackError(`${name} is not a replica of this stack`, there);
  }
  return { primary, replicas: topology.replicas.filter((replica) => replica !== primary) };
}
