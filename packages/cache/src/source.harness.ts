import { ServiceError } from '@novacron/contracts/errors';
import type { InvalidatedEvent, Invalidation } from '@novacron/contracts/invalidation';
import { type Change, groupOf, keyOf } from './change.js';
import type { Loaded, ReadRequest } from './cache.js';

export const LINEAGE = '7.1';
export const TENANT = 'ten';

/** The database of one VM, reduced to versions and positions, with a replica that may be behind. */
export class Source {
  readonly versions: { version: number; position: bigint }[] = [{ version: 1, position: 100n }];
  flush = 100n;
  /** The replica's position; null: it keeps up. */
  replica: bigint | null = null;
  loads = 0;
  down = false;
  absent = false;
  /** A load waits for it after it has read the state. */
  gate: Promise<void> = Promise.resolve();
  lineage = LINEAGE;
  #seq = 0;

  /** @returns the token of the write */
  write(): bigint {
    this.flush += 10n;
    this.versions.push({ version: this.versions.length + 1, position: this.flush });
    return this.flush;
  }

  /** The invalidators' message about the latest write. */
  invalidation(): Invalidation {
    const { version } = this.versions.at(-1) as { version: number };
    this.#seq += 1;
    this.flush += 1n;
    const event = { seq: this.#seq, tenantId: TENANT, kind: 'vm' as const, id: 'a', version };
    return { v: 1, history: this.lineage, events: [{ ...event, lsn: String(this.flush) }] };
  }

  get seq(): number {
    return this.#seq;
  }

  async load(token: bigint | null): Promise<Loaded> {
    this.loads += 1;
    if (this.down) throw new ServiceError('dependency_down', 'The database is away', { retryAfterMs: 100 });
    const replica = this.replica ?? this.flush;
    const onReplica = token === null || replica >= token;
    const position = onReplica ? replica : this.flush - 1n;
    const seen = onReplica ? this.versions.filter((v) => v.position <= replica) : this.versions;
    const version = seen.at(-1)?.version ?? 1;
    const loaded = {
      bytes: Buffer.from(`v${version}`),
      version: this.absent ? null : version,
      position,
      seen: onReplica ? position : this.flush,
      lineage: this.lineage,
      status: this.absent ? 404 : 200,
      servedFrom: onReplica ? ('replica' as const) : ('primary' as const),
    };
    await this.gate;
    return loaded;
  }

  request(extra: Partial<ReadRequest> = {}): ReadRequest {
    const load = (token: bigint | null) => this.load(token);
    return { type: 'vm', tenantId: TENANT, id: 'a', token: null, consistency: 'causal', load, ...extra };
  }
}

export function rules(event: InvalidatedEvent, position: bigint): Change[] {
  return [
    { what: 'resource', key: keyOf(event.tenantId, 'vm', event.id), version: event.version, position },
    { what: 'group', group: groupOf(event.tenantId, 'vms'), position },
  ];
}
