import { Controller, type Type } from '@nestjs/common';
import type { RpcReply } from '@novacron/contracts/envelope';
import {
  replicationRpc,
  type ReplicationServer,
  type ServiceReplication,
} from '@novacron/contracts/replication';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import type { Database } from '@novacron/postgres/database';

const PROBE_MS = 1_000;

/** The servers behind this process, of both of its roles together. */
export class Replication {
  constructor(
    private readonly service: string,
    private readonly api: Database,
    private readonly sys: Database,
  ) {}

  async get(): Promise<ServiceReplication> {
    const [a, s] = [this.api.stats(), this.sys.stats()];
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
      ...(await primaryNow(this.sys)),
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
    return { service: this.service, servers: [primary, ...replicas] };
  }
}

/** A controller that answers `rpc.<service>.replication.get`; the subject is only known when the service is. */
export function replicationController(service: string): Type {
  @Controller()
  class ReplicationController {
    constructor(private readonly replication: Replication) {}

    @RpcHandler(replicationRpc(service))
    async get(): Promise<RpcReply<ServiceReplication>> {
      return { body: await this.replication.get(), position: null };
    }
  }
  return ReplicationController;
}

async function primaryNow(db: Database) {
  try {
    const { lowerBound: position } = await db.primary.read({ timeoutMs: PROBE_MS }, []);
    return { healthy: true, position: String(position.lsn), timeline: position.timeline, lagMs: 0 };
  } catch {
    // A primary that does not answer is reported as unhealthy.
    return { healthy: false, position: null, timeline: null, lagMs: null };
  }
}

type PoolStats = ReturnType<Database['stats']>['pools'][number];

function added(a: PoolStats | undefined, b: PoolStats | undefined): ReplicationServer['connections'] {
  const of = (field: 'inUse' | 'idle' | 'waiting' | 'max') => (a?.[field] ?? 0) + (b?.[field] ?? 0);
  return { inUse: of('inUse'), idle: of('idle'), waiting: of('waiting'), max: of('max') };
}
