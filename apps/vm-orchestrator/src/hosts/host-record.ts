import type { RegisterHost } from '@novacron/contracts/agents';
import {
  promisable,
  NO_OVERCOMMIT,
  type Capacity,
  type HostRecord,
} from '@novacron/contracts/infrastructure';

/** Without a bound of the operator's, a host may grow to this many times what it promised at first. */
const GROWTH = 4;

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
  const first = saidCapacity(said);
  const grown = { cpu: first.cpu * GROWTH, memory: first.memory * GROWTH, disk: first.disk * GROWTH };
  return { zone, driver, labels, capacity: approval.capacity ?? before?.capacity ?? grown };
}

/** What of a registration contradicts the host's record, for an operator to read; empty when nothing does. Pure. */
export function contradictions(record: HostRecord, said: RegisterHost): string[] {
  const capacity = saidCapacity(said);
  const found = (['zone', 'driver'] as const)
    .filter((what) => said[what] !== record[what])
    .map((what) => `${what} is ${said[what]} instead of ${record[what]}`);
  if (!sameLabels(said.labels, record.labels)) found.push('the labels are others');
  for (const resource of ['cpu', 'memory', 'disk'] as const) {
    if (capacity[resource] > record.capacity[resource])
      found.push(`${resource} is ${capacity[resource]}, more than ${record.capacity[resource]}`);
  }
  return found;
}

function sameLabels(a: HostRecord['labels'], b: HostRecord['labels']): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
  );
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
