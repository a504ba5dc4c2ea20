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

/** Without a bound of the operator's, a host may grow to this many times what it promised at first. */
const GROWTH = 4;
/** The least first promise that a bound is derived from: a disk may have been full at the first registration. */
const LEAST: Capacity = { cpu: 1, memory: 1_024, disk: 64 };

/** What may be promised on a host, as its registration says it. */
export function saidCapacity(said: Pick<RegisterHost, 'capacity' | 'physical' | 'overcommit'>): Capacity {
  return said.physical ? promisable(said.physical, said.overcommit ?? NO_OVERCOMMIT) : said.capacity;
}

/** What the operator said of a host; a bound of its capacity where there is one. */
export type Approval = Omit<HostRecord, 'capacity'> & { readonly capacity?: Capacity | undefined };

/**
 * The record that a registration is held against: the operator's word, with a bound of the capacity that is the
 * operator's, that of the record before, or a multiple of what the host says at first. Pure.
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
 * What of a registration contradicts the host's record, for an operator to read; empty when nothing does. More capacity
 * than the record's contradicts nothing: it is bounded. Pure.
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
    // The bounds alone: what the host has may change with each heartbeat.
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
