import type { RegisterHost } from '@novacron/contracts/agents';
import type { Condition } from '@novacron/contracts/common';
import {
  promisable,
  NO_OVERCOMMIT,
  type Capacity,
  type HostConditionType,
  type HostRecord,
} from '@novacron/contracts/infrastructure';
import { RESOURCES } from './host-view.js';
import { withCondition, withoutCondition } from '../vms/conditions.js';

const CAPACITY_LIMITED = 'CapacityLimited' satisfies HostConditionType;

/** Without a bound of the operator, a host may grow to this multiple of its first capacity. */
const GROWTH = 4;
/** The least capacity that a bound is derived from: a disk may have been full at the first registration. */
const LEAST: Capacity = { cpu: 1, memory: 1_024, disk: 64 };

/** The capacity of a host by its registration. */
export function saidCapacity(said: Pick<RegisterHost, 'capacity' | 'physical' | 'overcommit'>): Capacity {
  return said.physical ? promisable(said.physical, said.overcommit ?? NO_OVERCOMMIT) : said.capacity;
}

/** The operator's approval of a host, with a bound of its capacity where there is one. */
export type Approval = Omit<HostRecord, 'capacity'> & { readonly capacity?: Capacity | undefined };

/**
 * The record that a registration is compared with: the operator's approval, with the operator's bound of the capacity,
 * that of the record before, or a multiple of the first reported capacity. Pure.
 */
export function recordOf(approval: Approval, before: HostRecord | null, said: RegisterHost): HostRecord {
  const { zone, driver, labels } = approval;
  return {
    zone,
    driver,
    labels,
    capacity: approval.capacity ?? before?.capacity ?? grown(saidCapacity(said)),
  };
}

function grown(first: Capacity): Capacity {
  return {
    cpu: Math.max(first.cpu, LEAST.cpu) * GROWTH,
    memory: Math.max(first.memory, LEAST.memory) * GROWTH,
    disk: Math.max(first.disk, LEAST.disk) * GROWTH,
  };
}

/**
 * The differences between a registration and the host's record, for an operator to read. More capacity than the record
 * has is not a difference: it is bounded. Pure.
 */
export function contradictions(record: HostRecord, said: RegisterHost): string[] {
  const found = (['zone', 'driver'] as const)
    .filter((what) => said[what] !== record[what])
    .map((what) => `${what} is ${said[what]} instead of ${record[what]}`);
  if (!sameLabels(said.labels, record.labels)) found.push('the labels are others');
  return found;
}

function sameLabels(a: HostRecord['labels'], b: HostRecord['labels']): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
  );
}

/** `conditions`, with CapacityLimited exactly while the host could promise more than its record allows. Pure. */
export function withCapacityLimit(
  conditions: readonly Condition[],
  capacity: Capacity,
  record: HostRecord | null,
  now: Date,
): Condition[] {
  const limits = RESOURCES.filter((resource) => record && capacity[resource] > record.capacity[resource]);
  if (!record || limits.length === 0) return withoutCondition(conditions, CAPACITY_LIMITED);
  const bounds = limits.map((resource) => `${resource} ${record.capacity[resource]}`).join(', ');
  return withCondition(conditions, {
    type: CAPACITY_LIMITED,
    status: 'true',
    reason: 'MoreThanApproved',
    // The bounds alone: the host's own capacity may change with each heartbeat.
    message: `The host has more than its record lets it promise: ${bounds}`,
    lastTransitionAt: now.toISOString(),
  });
}

/** `capacity`, at most the record's. Pure. */
export function bounded(capacity: Capacity, record: HostRecord | null): Capacity {
  if (!record) return capacity;
  return {
    cpu: Math.min(capacity.cpu, record.capacity.cpu),
    memory: Math.min(capacity.memory, record.capacity.memory),
    disk: Math.min(capacity.disk, record.capacity.disk),
  };
}
