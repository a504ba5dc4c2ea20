import { join } from 'node:path';
import type { Layout } from '../layout.js';
import { StackError } from '../stack-error.js';
import { readStateFile, writeStateFile } from '../state-file.js';

/** Every Postgres server that a home can have; a name stays with its data when a promotion changes its part. */
export const postgresNames = [
  'postgres-primary',
  'postgres-replica-1',
  'postgres-replica-2',
  'postgres-replica-3',
] as const;
export type PostgresName = (typeof postgresNames)[number];

/** Who is the primary and who streams from it. */
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

/** The servers of a home with that many replicas. A primary that was replaced by a promotion is never among them. */
export function topologyOf(paths: Layout, replicas: number): Topology {
  const primary = remembered(paths);
  const others = postgresNames.filter((name) => name !== primary && name !== 'postgres-primary');
  if (replicas > others.length) {
    throw new StackError(`${replicas} replicas are more than this home can have`, `At most ${others.length}`);
  }
  return { primary, replicas: others.slice(0, replicas) };
}

/** Every server that a home may have run, for ending and removing them. */
export function wholeTopology(paths: Layout): Topology {
  const primary = remembered(paths);
  return { primary, replicas: postgresNames.filter((name) => name !== primary) };
}

/** Writes down who is the primary from now on. */
export function rememberPrimary(paths: Layout, primary: PostgresName): void {
  writeStateFile(topologyFile(paths), { primary });
}

/** `topology` after `name` took over; the old primary is in it no more. */
export function promoted(topology: Topology, name: string): Topology {
  const primary = topology.replicas.find((replica) => replica === name);
  if (primary === undefined) {
    const there =
      topology.replicas.length > 0 ? `There are: ${topology.replicas.join(', ')}` : 'There is none';
    throw new StackError(`${name} is no replica of this stack`, there);
  }
  return { primary, replicas: topology.replicas.filter((replica) => replica !== primary) };
}
