import type { Condition } from '@novacron/contracts/common';
import { PLATFORM } from '@novacron/contracts/events';
import { newId, type EventId, type HostId } from '@novacron/contracts/ids';
import type {
  Capacity,
  Host,
  HostConditionType,
  HostDrain,
  HostRecord,
  Overcommit,
} from '@novacron/contracts/infrastructure';
import type { NewEvent } from '@novacron/outbox/append';

/** A row of `hosts` with its last heartbeat. */
export interface HostRow {
  id: HostId;
  name: string;
  zone: string;
  driver: string;
  state: Host['state'];
  schedulable: boolean;
  capabilities: Host['capabilities'];
  images: string[];
  cpu: number;
  memory: number;
  disk: number;
  /** Null until the host has registered with an agent that reports it. */
  physical: Capacity | null;
  overcommit: Overcommit;
  /** Null for a host that registered before there were records. */
  approved: HostRecord | null;
  drain: HostDrain | null;
  allocated_cpu: number;
  allocated_memory: number;
  allocated_disk: number;
  vm_count: number;
  labels: Record<string, string>;
  conditions: Condition[];
  epoch: number;
  last_heartbeat_at: Date | null;
  version: number;
  created_at: Date;
  updated_at: Date;
}

/** The columns of a HostRow, of a table or a RETURNING named `h`. */
export const HOST_COLUMNS =
  'h.*, (SELECT b.at FROM heartbeats b WHERE b.host_id = h.id) AS last_heartbeat_at';

/** The row as the API shows it. */
export function toHost(row: HostRow): Host {
  const capacity = { cpu: row.cpu, memory: row.memory, disk: row.disk };
  const allocated = { cpu: row.allocated_cpu, memory: row.allocated_memory, disk: row.allocated_disk };
  return {
    id: row.id,
    name: row.name,
    zone: row.zone,
    driver: row.driver,
    state: row.state,
    schedulable: row.schedulable,
    capabilities: row.capabilities,
    images: row.images,
    physical: row.physical ?? capacity,
    overcommit: row.overcommit,
    capacity,
    allocated,
    free: {
      cpu: Math.max(0, capacity.cpu - allocated.cpu),
      memory: Math.max(0, capacity.memory - allocated.memory),
      disk: Math.max(0, capacity.disk - allocated.disk),
    },
    vmCount: row.vm_count,
    drain: row.drain,
    approved: row.approved,
    labels: row.labels,
    epoch: row.epoch,
    lastHeartbeatAt: row.last_heartbeat_at?.toISOString() ?? null,
    conditions: row.conditions,
    version: row.version,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

/** The event of a change: the full resource at its version. */
export function hostEvent(
  row: HostRow,
  type: 'host.created' | 'host.updated' | 'host.deleted' = 'host.updated',
): NewEvent {
  return {
    id: newId<EventId>(),
    type,
    tenantId: PLATFORM,
    kind: 'host',
    resourceId: row.id,
    version: row.version,
    at: row.updated_at.toISOString(),
    data: toHost(row),
  };
}

/** Of a host that was fenced and uncordoned, until its inventory has been applied. */
export const RECONCILING = 'Reconciling' satisfies HostConditionType;
/** Of a host that stopped sending heartbeats, and of its VMs. */
export const HOST_UNREACHABLE = 'HostUnreachable' satisfies HostConditionType;
