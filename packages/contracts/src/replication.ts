import { z } from 'zod';
import { defineRpc } from './envelope.js';
import { subjectOf } from './subject.js';

const count = z.number().int().nonnegative();

/** One Postgres server as a service's process sees it. */
export const ReplicationServer = z.object({
  /** `host:port` */
  server: z.string(),
  role: z.enum(['primary', 'replica']),
  /** The primary: whether it answered just now. A replica: whether it gets reads. */
  healthy: z.boolean(),
  /** Configured: of reads among replicas. null for the primary, which gets what no replica can answer. */
  weight: z.number().nonnegative().nullable(),
  /** How far it is, in bytes of the log; decimal; null when it does not answer. */
  position: z.string().nullable(),
  timeline: z.number().int().nullable(),
  /** Since when it has not had everything that the primary had, milliseconds; 0 for the primary. */
  lagMs: z.number().int().nonnegative().nullable(),
  /** Reads that may be answered by any server, and were answered by this one, since the process started. */
  reads: count,
  /** Its part of them, 0 to 1. */
  share: z.number().min(0).max(1),
  connections: z.object({ inUse: count, idle: count, waiting: count, max: count }),
});
export type ReplicationServer = z.infer<typeof ReplicationServer>;

/** Of the instance that answers. */
export const ServiceReplication = z.object({ service: z.string(), servers: z.array(ReplicationServer) });
export type ServiceReplication = z.infer<typeof ServiceReplication>;

/** Services with a database that are asked; the gateway, which asks, adds its own. */
export const REPLICATION_SERVICES = ['orchestrator', 'metrics', 'cache'] as const;

/** @param service its NATS name */
export function replicationRpc(service: string) {
  const subject = subjectOf('rpc', service, 'replication', 'get');
  return defineRpc(subject as `rpc.${string}.replication.get`, z.object({}), ServiceReplication, 'refused');
}
