import { z } from 'zod';
import { defineRpc } from './envelope.js';
import { subjectOf } from './subject.js';

const count = z.number().int().nonnegative();

/** One Postgres server, as one process of a service observes it. */
export const ReplicationServer = z.object({
  /** `host:port` */
  server: z.string(),
  role: z.enum(['primary', 'replica']),
  /** Of the primary: whether it answered just now. Of a replica: whether it receives reads. */
  healthy: z.boolean(),
  /** The configured share of reads among replicas. Null for the primary, which serves reads that no replica can serve. */
  weight: z.number().nonnegative().nullable(),
  /** Its WAL position in bytes, decimal. Null when it does not answer. */
  position: z.string().nullable(),
  timeline: z.number().int().nullable(),
  /** For how long it has been behind the primary, milliseconds. 0 for the primary. */
  lagMs: z.number().int().nonnegative().nullable(),
  /** Reads that any server may serve and that this one served, since the process started. */
  reads: count,
  /** Its share of these reads, 0 to 1. */
  share: z.number().min(0).max(1),
  connections: z.object({ inUse: count, idle: count, waiting: count, max: count }),
});
export type ReplicationServer = z.infer<typeof ReplicationServer>;

/** The servers of the service instance that answers. */
export const ServiceReplication = z.object({ service: z.string(), servers: z.array(ReplicationServer) });
export type ServiceReplication = z.infer<typeof ServiceReplication>;

/** The services that the gateway requests replication from. It adds its own servers. */
export const REPLICATION_SERVICES = ['orchestrator', 'metrics', 'cache'] as const;

export const Replication = z.object({
  services: z.array(ServiceReplication),
  missing: z.array(z.string()).describe('Services that did not answer in time.'),
});

/** @param service its NATS name */
export function replicationRpc(service: string) {
  const subject = subjectOf('rpc', service, 'replication', 'get');
  return defineRpc(subject as `rpc.${string}.replication.get`, z.object({}), ServiceReplication, 'refused');
}
