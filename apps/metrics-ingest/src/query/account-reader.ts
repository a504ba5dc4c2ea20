import type { RequestMeta } from '@novacron/contracts/envelope';
import { NAMES_PER_TENANT, type IntakeResult } from '@novacron/contracts/metrics';
import type { Database, Statement } from '@novacron/postgres/database';
import { builtInId } from '../store/metric-names.js';
import { shown, type Read } from './read.js';

const HOUR_MS = 3_600_000;
const SINCE_MS = 24 * HOUR_MS;

const USED: Statement = {
  name: 'metrics_names_used',
  text: 'SELECT count(*)::int AS used FROM metrics.names',
  table: 'names',
};
const DROPPED: Statement = {
  name: 'metrics_dropped_read',
  text: `SELECT DISTINCT ON (reason) reason, (sum(points) OVER (PARTITION BY reason))::float8 AS points,
           last_at::float8 AS "lastAt", vm_id AS "vmId", metric
         FROM metrics.dropped WHERE hour >= $1::bigint ORDER BY reason, hour DESC`,
  table: 'dropped',
};
const EXISTING: Statement = {
  name: 'metrics_names_there',
  text: 'SELECT name FROM metrics.names WHERE name = ANY ($1::text[])',
  table: 'names',
};

type DroppedRow = Omit<IntakeResult['dropped'][number], 'last'> & IntakeResult['dropped'][number]['last'];

/** Reads a tenant's account: its names, and its points that were dropped. */
export class AccountReader {
  constructor(
    private readonly db: Database,
    private readonly perTenant = NAMES_PER_TENANT,
  ) {}

  /** The number of the tenant's names, and its points dropped in the last 24 hours, from the start of an hour. */
  async account({ tenantId, remainingMs }: RequestMeta, now = Date.now()): Promise<Read<IntakeResult>> {
    const since = now - SINCE_MS - ((now - SINCE_MS) % HOUR_MS);
    const answers = await this.db.strong.read({ tenantId, timeoutMs: remainingMs }, [
      { statement: USED },
      { statement: DROPPED, params: [since] },
    ]);
    const used = (answers.results[0]?.rows[0] as { used: number } | undefined)?.used ?? 0;
    const rows = (answers.results[1]?.rows ?? []) as unknown as DroppedRow[];
    const dropped = rows.map(({ vmId, metric, ...row }) => ({ ...row, last: { vmId, metric } }));
    return { body: { since, names: { used, limit: this.perTenant }, dropped }, ...shown(answers) };
  }

  /** Those of the names that would exceed the tenant's limit. */
  async refusedNames(
    { tenantId, remainingMs }: RequestMeta,
    names: readonly string[],
  ): Promise<Read<{ refused: string[] }>> {
    const custom = [...new Set(names)].filter((name) => builtInId(name) === undefined);
    const answers = await this.db.strong.read({ tenantId, timeoutMs: remainingMs }, [
      { statement: USED },
      { statement: EXISTING, params: [custom] },
    ]);
    const used = (answers.results[0]?.rows[0] as { used: number } | undefined)?.used ?? 0;
    const existing = new Set(
      (answers.results[1]?.rows as unknown as { name: string }[]).map(({ name }) => name),
    );
    const room = Math.max(0, this.perTenant - used);
    return { body: { refused: custom.filter((name) => !existing.has(name)).slice(room) }, ...shown(answers) };
  }
}
