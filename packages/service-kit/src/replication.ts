import { Controller, type Type } from '@nestjs/common';
import {
  replicationRpc,
  type ReplicationServer,
  type ServiceReplication,
} from '@novacron/contracts/replication';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import type { Database } from '@novacron/postgres/database';
import type { ServiceContext } from './context.js';

const PROBE_MS = 1_000;

/** The servers behind this process, of both of its roles together. */
export async function replicationOf({ name, api, sys }: ServiceContext): Promise<ServiceReplication> {
  const [a, s] = [api.stats(), sys.stats()];
  const reads = [
    a.primary.reads + s.primary.reads,
    ...a.replicas.map((r, i) => r.reads + (s.replicas[i]?.reads ?? 0)),
  ];
  const all = reads.reduce((sum, n) => sum + n, 0);
  const counted = (i: number) => ({
    reads: reads[i] as number,
    share: all === 0 ? 0 : (reads[i] as number) / all,
    connections: added(a.pools[i], s.pools[i]),
  });
  const primary = {
    server: a.primary.server,
    role: 'primary' as const,
    weight: null,
    ...(await primaryNow(sys)),
    ...counted(0),
  };
  const replicas = a.replicas.map(
    ({ server, healthy, weight, replayed, timeline, lagMs }, i): ReplicationServer => ({
      server,
      role: 'replica',
      healthy,
      weight,
      position: timeline === 0 ? null : String(replayed),
      timeline: timeline === 0 ? null : timeline,
      lagMs,
      ...counted(i + 1),
    }),
  );
  return { service: name, servers: [primary, ...replicas] };
}

/** Answers `rpc.<service>.replication.get`. */
export function replicationController(context: ServiceContext): Type {
  class ReplicationController {
    async get() {
      return { body: await replicationOf(context), position: null };
    }
  }
  const get = Object.getOwnPropertyDescriptor(ReplicationController.prototype, 'get');
  RpcHandler(replicationRpc(context.name))(
    ReplicationController.prototype,
    'get',
    get as TypedPropertyDescriptor<ReplicationController['get']>,
  );
  Controller()(ReplicationController);
  return ReplicationController;
}

async function primaryNow(db: Database) {
  try {
    const { position } = await db.primary.read({ timeoutMs: PROBE_MS }, []);
    return { healthy: true, position: String(position.lsn), timeline: position.timeline, lagMs: 0 };
  } catch {
    // That it does not answer is the answer.
    return { healthy: false, position: null, timeline: null, lagMs: null };
  }
}

type PoolStats = ReturnType<Database['stats']>['pools'][number];

function added(a: PoolStats | undefined, b: PoolStats | undefined): ReplicationServer['connections'] {
  const of = (field: 'inUse' | 'idle' | 'waiting' | 'max') => (a?.[field] ?? 0) + (b?.[field] ?? 0);
  return { inUse: of('inUse'), idle: of('idle'), waiting: of('waiting'), max: of('max') };
}
