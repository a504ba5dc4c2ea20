import { BUILT_IN_METRICS, NAMES_PER_TENANT } from '@novacron/contracts/metrics';
import type { Database, Statement } from '@novacron/postgres/database';

/** The built-in metrics' ids are stored with every point, so they never change. */
export const BUILT_IN_IDS: Readonly<Record<keyof typeof BUILT_IN_METRICS, number>> = {
  cpu_usage: 1,
  memory_usage: 2,
  disk_read_bytes: 3,
  disk_write_bytes: 4,
  network_recv: 5,
  network_sent: 6,
};

export function builtInId(name: string): number | undefined {
  return Object.hasOwn(BUILT_IN_IDS, name) ? BUILT_IN_IDS[name as keyof typeof BUILT_IN_IDS] : undefined;
}

/** Names per statement. A statement counts the tenant's names once, so its cost does not grow with them. */
const NAMES_PER_STATEMENT = 500;
/** The names of a tenant at its limit are not read again for this long. */
const FULL_MS = 60_000;
/** Names of all tenants in memory; about 50 MB. */
const MAX_REMEMBERED = 500_000;

const READ: Statement = {
  name: 'metrics_names_read',
  text: `SELECT name, metric_id AS id FROM metrics.names WHERE tenant_id = $1::uuid AND name = ANY ($2::text[])`,
  table: 'names',
};
const READ_ALL: Statement = {
  name: 'metrics_names_read_all',
  text: `SELECT name, metric_id AS id FROM metrics.names WHERE tenant_id = $1::uuid`,
  table: 'names',
};
/** One process at a time adds names of a tenant: two would each fill the room that both observed. */
const LOCK: Statement = {
  name: 'metrics_names_lock',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('novacron:metrics:names:' || $1::uuid, 0))`,
  table: 'names',
};
const ADD: Statement = {
  name: 'metrics_names_add',
  text: `INSERT INTO metrics.names (tenant_id, name)
         SELECT $1::uuid, name FROM unnest($2::text[]) AS wanted (name)
         LIMIT greatest(0, $3::int - (SELECT count(*) FROM
           (SELECT FROM metrics.names WHERE tenant_id = $1::uuid LIMIT $3::int) AS there)) ON CONFLICT DO NOTHING`,
  table: 'names',
};

interface TenantNames {
  readonly ids: Map<string, number>;
  /** Until then `ids` has every name of the tenant, which has reached its limit. */
  fullUntil: number;
}

export interface MetricNamesOptions {
  /** The maximum of names of a tenant; points of further names are dropped. */
  readonly perTenant?: number;
  readonly now?: () => number;
}

/**
 * Names → ids for the ingester. A name is created with its first point. A tenant costs a bounded number of short
 * statements in total: each one handles a part of the names, and all names of a tenant at its limit are in memory, so
 * that further names are refused without a statement.
 */
export class MetricNames {
  readonly #tenants = new Map<string, TenantNames>();
  readonly #perTenant: number;
  readonly #now: () => number;

  constructor(
    private readonly db: Database,
    options: MetricNamesOptions = {},
  ) {
    this.#perTenant = options.perTenant ?? NAMES_PER_TENANT;
    this.#now = options.now ?? Date.now;
  }

  /** The id of a name that {@link learn} has handled; undefined when the tenant has too many names. */
  idOf(tenantId: string, name: string): number | undefined {
    return builtInId(name) ?? this.#tenants.get(tenantId)?.ids.get(name);
  }

  /** Whether {@link learn} would send a statement for the name. */
  isNew(tenantId: string, name: string): boolean {
    if (this.idOf(tenantId, name) !== undefined) return false;
    return (this.#tenants.get(tenantId)?.fullUntil ?? 0) <= this.#now();
  }

  /** Reads or creates the ids of these names, before the transaction that uses them. */
  async learn(wanted: Iterable<readonly [tenantId: string, name: string]>): Promise<void> {
    const names = new Map<string, Set<string>>();
    for (const [tenantId, name] of wanted) {
      if (!this.isNew(tenantId, name)) continue;
      const ofTenant = names.get(tenantId);
      if (ofTenant) ofTenant.add(name);
      else names.set(tenantId, new Set([name]));
    }
    for (const [tenantId, ofTenant] of names) await this.#learn(tenantId, [...ofTenant]);
  }

  /** Removes all names from memory when they are too many. Call it while no id is in use. */
  trim(): void {
    let names = 0;
    for (const { ids } of this.#tenants.values()) names += ids.size;
    if (names > MAX_REMEMBERED) this.#tenants.clear();
  }

  async #learn(tenantId: string, names: readonly string[]): Promise<void> {
    let tenant = this.#tenants.get(tenantId);
    if (!tenant) this.#tenants.set(tenantId, (tenant = { ids: new Map(), fullUntil: 0 }));
    for (let at = 0; at < names.length; at += NAMES_PER_STATEMENT) {
      const piece = names.slice(at, at + NAMES_PER_STATEMENT);
      const missing = await this.#read(tenantId, tenant, piece);
      if (missing.length === 0) continue;
      await this.db.primary.batch({}, [
        { statement: LOCK, params: [tenantId] },
        { statement: ADD, params: [tenantId, missing, this.#perTenant] },
      ]);
      if ((await this.#read(tenantId, tenant, missing)).length === 0) continue;
      await this.#readAll(tenantId, tenant);
      tenant.fullUntil = this.#now() + FULL_MS;
      return;
    }
  }

  /** @returns the names that are not in the table */
  async #read(tenantId: string, tenant: TenantNames, names: readonly string[]): Promise<string[]> {
    const { rows } = await this.db.primary.query<{ name: string; id: number }>(READ, [tenantId, names]);
    for (const { name, id } of rows) tenant.ids.set(name, id);
    return names.filter((name) => !tenant.ids.has(name));
  }

  async #readAll(tenantId: string, tenant: TenantNames): Promise<void> {
    const { rows } = await this.db.primary.query<{ name: string; id: number }>(READ_ALL, [tenantId]);
    for (const { name, id } of rows) tenant.ids.set(name, id);
  }
}
