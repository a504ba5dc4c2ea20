import { BUILT_IN_METRICS } from '@novacron/contracts/metrics';
import type { Database, Statement } from '@novacron/postgres/database';

/** The built-in metrics' numbers are stored with every point: they never change. */
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

/** A name pushed by mistake (an id in it, a time) must not fill the table: points of further names are dropped. */
const NAMES_PER_TENANT = 10_000;

const READ: Statement = {
  name: 'metrics_names_read',
  text: `SELECT n.tenant_id AS tenant, n.name, n.metric_id AS id FROM unnest($1::uuid[], $2::text[]) AS wanted (tenant, name)
         JOIN metrics.names n ON n.tenant_id = wanted.tenant AND n.name = wanted.name`,
  table: 'names',
};
const ADD: Statement = {
  name: 'metrics_names_add',
  text: `INSERT INTO metrics.names (tenant_id, name)
         SELECT tenant, name FROM (
           SELECT tenant, name, row_number() OVER (PARTITION BY tenant ORDER BY name)
             + (SELECT count(*) FROM metrics.names n WHERE n.tenant_id = tenant) AS nth
           FROM unnest($1::uuid[], $2::text[]) AS wanted (tenant, name)) AS numbered
         WHERE nth <= $3 ON CONFLICT DO NOTHING`,
};

/** Names → numbers, for the intake. A tenant's names are made when their first point comes. */
export class MetricNames {
  readonly #known = new Map<string, number>();

  constructor(
    private readonly db: Database,
    private readonly perTenant = NAMES_PER_TENANT,
  ) {}

  /** The number of a name that {@link learn} was given; undefined when the tenant has too many. */
  idOf(tenantId: string, name: string): number | undefined {
    return builtInId(name) ?? this.#known.get(keyOf(tenantId, name));
  }

  /** Reads and makes the numbers of these names, before the transaction that uses them. */
  async learn(wanted: Iterable<readonly [tenantId: string, name: string]>): Promise<void> {
    const missing = new Map<string, readonly [string, string]>();
    for (const [tenantId, name] of wanted) {
      if (this.idOf(tenantId, name) === undefined) missing.set(keyOf(tenantId, name), [tenantId, name]);
    }
    if (missing.size === 0) return;
    await this.#read(missing);
    if (missing.size === 0) return;
    await this.db.primary.batch({}, [{ statement: ADD, params: [...columns(missing), this.perTenant] }]);
    await this.#read(missing);
  }

  /** Moves the names that the table has from `missing` to what is known. */
  async #read(missing: Map<string, readonly [string, string]>): Promise<void> {
    const { rows } = await this.db.primary.query<{ tenant: string; name: string; id: number }>(
      READ,
      columns(missing),
    );
    for (const { tenant, name, id } of rows) {
      this.#known.set(keyOf(tenant, name), id);
      missing.delete(keyOf(tenant, name));
    }
  }
}

function keyOf(tenantId: string, name: string): string {
  return `${tenantId}/${name}`;
}

function columns(names: ReadonlyMap<string, readonly [string, string]>): [string[], string[]] {
  const pairs = [...names.values()];
  return [pairs.map(([tenant]) => tenant), pairs.map(([, name]) => name)];
}
