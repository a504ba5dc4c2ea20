import { Injectable, Optional } from '@nestjs/common';
import { Periodic } from '@novacron/async/periodic';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { HostId } from '@novacron/contracts/ids';
import type { Capacity, HostRecord, Overcommit } from '@novacron/contracts/infrastructure';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import { DATABASE_TIME, observeDatabaseTime } from '../database/clock.js';
import { CONTROL_PLANE, generationIn, type ControlPlane } from './generation.js';
import { RESOURCES, type HostView } from './host-view.js';

export interface KnownHost extends HostView {
  readonly epoch: number;
  readonly overcommit: Overcommit;
  readonly approved: HostRecord | null;
}

export interface KnownZone {
  readonly name: string;
  readonly isDefault: boolean;
}

/** Reserved capacity that the database may not show yet. Ends by itself after {@link FORGOTTEN_AFTER_MS}. */
export interface Reservation {
  /** The database has it now: it counts here until a view that was read after this moment. */
  committed(): void;
  /** It was not used: the capacity is free at once. */
  release(): void;
}

interface Pending extends Capacity {
  readonly madeAt: number;
  committedAt: number | null;
}

interface SnapshotRow extends Capacity {
  id: HostId;
  name: string;
  zone: string;
  state: HostView['state'];
  schedulable: boolean;
  conditions: HostView['conditions'];
  capabilities: HostView['capabilities'];
  images: string[];
  allocated_cpu: number;
  allocated_memory: number;
  allocated_disk: number;
  overcommit: Overcommit;
  approved: HostRecord | null;
  epoch: number;
  cleanups: number;
}

export const REFRESH_EVERY_MS = 1_000;
const FORGOTTEN_AFTER_MS = 15_000;
const NO_IMAGES: ReadonlySet<string> = new Set();
const NOTHING: Capacity = { cpu: 0, memory: 0, disk: 0 };

const LOAD = {
  name: 'hosts-snapshot',
  text: `SELECT id, name, zone, state, schedulable, conditions, capabilities, images, cpu, memory, disk, overcommit, approved,
                allocated_cpu, allocated_memory, allocated_disk, epoch, coalesce(c.cleanups, 0)::int AS cleanups
           FROM hosts
           LEFT JOIN (SELECT host_id, count(*) AS cleanups FROM cleanups GROUP BY host_id) c ON c.host_id = id
          ORDER BY id`,
};
const ZONES = {
  name: 'zones-snapshot',
  text: 'SELECT name, is_default AS "isDefault" FROM zones ORDER BY name',
};

/**
 * The hosts for placement: in memory, at most a second old. Capacity that this process reserves counts at once, so that
 * many placements between two refreshes spread. The durable reservation is the caller's conditional UPDATE; when it
 * finds no capacity, `refresh()` and place again.
 */
@Injectable()
export class HostSnapshot {
  #hosts = new Map<HostId, KnownHost>();
  #zones: readonly KnownZone[] = [];
  #images = new Map<string, Set<string>>();
  #generation = 1;
  #refreshedAt = -Infinity;
  #refreshing: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #refreshes: Periodic | undefined;
  readonly #pending = new Map<HostId, Set<Pending>>();

  constructor(
    @SystemDatabase() private readonly db: Database,
    @ServiceLogger() private readonly log: Logger,
    @Optional() private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Loads once and keeps loading until `stop()`. A failure is logged and tried again. */
  start(everyMs = REFRESH_EVERY_MS): void {
    this.#refreshes ??= new Periodic(() => this.refresh(), {
      everyMs,
      firstRun: 'now',
      onError: (error) => this.log.warn({ err: error }, 'refresh of the hosts failed'),
    });
    this.#refreshes.start();
  }

  async stop(): Promise<void> {
    await this.#refreshes?.stop();
  }

  /** Whether there is a view: before that, placement cannot decide. */
  get ready(): boolean {
    return this.#refreshedAt > -Infinity;
  }

  /** The control plane's generation, which goes with each command. */
  get generation(): number {
    return this.#generation;
  }

  zones(): readonly KnownZone[] {
    return this.#zones;
  }

  /** The images that some host of the zone runs. */
  imagesOf(zone: string): ReadonlySet<string> {
    return this.#images.get(zone) ?? NO_IMAGES;
  }

  /** The hosts with their reservations. Do not keep it: it is the view of this moment. */
  hosts(): HostView[] {
    return [...this.#hosts.values()].map((host) => this.#withPending(host));
  }

  host(id: HostId): KnownHost | undefined {
    const host = this.#hosts.get(id);
    return host && this.#withPending(host);
  }

  /** A view that was read after this call. */
  refresh(): Promise<void> {
    // A refresh in progress may have read before the caller's reason to refresh: queue one behind it.
    if (!this.#refreshing) return this.#begin();
    return (this.#next ??= this.#refreshing
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        return this.#begin();
      }));
  }

  reserve(hostId: HostId, capacity: Capacity): Reservation {
    const pending: Pending = {
      cpu: capacity.cpu,
      memory: capacity.memory,
      disk: capacity.disk,
      madeAt: this.clock(),
      committedAt: null,
    };
    let ofHost = this.#pending.get(hostId);
    if (!ofHost) this.#pending.set(hostId, (ofHost = new Set()));
    ofHost.add(pending);
    return {
      committed: () => void (pending.committedAt ??= this.clock()),
      release: () => void ofHost.delete(pending),
    };
  }

  #begin(): Promise<void> {
    const done = this.#load().finally(() => {
      if (this.#refreshing === done) this.#refreshing = null;
    });
    this.#refreshing = done;
    return done;
  }

  async #load(): Promise<void> {
    const startedAt = this.clock();
    const sentAt = performance.now();
    const { results, upperBound: seen } = await this.db.primary.read({}, [
      { statement: LOAD },
      { statement: CONTROL_PLANE },
      { statement: ZONES },
      { statement: DATABASE_TIME },
    ]);
    observeDatabaseTime((results[3]?.rows[0] as unknown as { at: Date }).at, sentAt);
    const known = results[1]?.rows[0] as unknown as ControlPlane;
    const history = `${seen.systemId}.${seen.timeline}`;
    const generation = await generationIn(this.db, known, history, this.log);
    // Of two concurrent refreshes the later one counts.
    if (startedAt < this.#refreshedAt) return;
    const rows = results[0]?.rows as unknown as SnapshotRow[];
    this.#hosts = new Map(rows.map((row) => [row.id, toKnownHost(row)]));
    this.#generation = generation;
    this.#zones = results[2]?.rows as unknown as KnownZone[];
    this.#images = imagesByZone(this.#hosts.values());
    this.#refreshedAt = startedAt;
    this.#dropSettled(startedAt);
  }

  #dropSettled(readFrom: number): void {
    for (const [hostId, ofHost] of this.#pending) {
      for (const pending of ofHost) {
        const seen = pending.committedAt !== null && pending.committedAt <= readFrom;
        if (seen || readFrom - pending.madeAt > FORGOTTEN_AFTER_MS) ofHost.delete(pending);
      }
      if (ofHost.size === 0) this.#pending.delete(hostId);
    }
  }

  #withPending(host: KnownHost): KnownHost {
    const ofHost = this.#pending.get(host.id);
    if (!ofHost || ofHost.size === 0) return host;
    const promised = { ...NOTHING };
    for (const pending of ofHost) for (const resource of RESOURCES) promised[resource] += pending[resource];
    return { ...host, allocated: sum(host.allocated, promised) };
  }
}

function imagesByZone(hosts: Iterable<KnownHost>): Map<string, Set<string>> {
  const zones = new Map<string, Set<string>>();
  for (const { zone, images } of hosts) {
    let known = zones.get(zone);
    if (!known) zones.set(zone, (known = new Set()));
    for (const image of images) known.add(image);
  }
  return zones;
}

function sum(a: Capacity, b: Capacity): Capacity {
  return { cpu: a.cpu + b.cpu, memory: a.memory + b.memory, disk: a.disk + b.disk };
}

function toKnownHost(row: SnapshotRow): KnownHost {
  const {
    id,
    name,
    zone,
    state,
    schedulable,
    conditions,
    capabilities,
    images,
    epoch,
    cleanups,
    overcommit,
    approved,
  } = row;
  const { cpu, memory, disk } = row;
  return {
    id,
    name,
    zone,
    state,
    schedulable,
    conditions,
    capabilities,
    images,
    epoch,
    cleanups,
    overcommit,
    approved,
    capacity: { cpu, memory, disk },
    allocated: { cpu: row.allocated_cpu, memory: row.allocated_memory, disk: row.allocated_disk },
  };
}
