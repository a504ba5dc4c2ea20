import { Inject, Injectable } from '@nestjs/common';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { LatestQuery, LatestResult, RangeQuery, RangeResult } from '@novacron/contracts/metrics';
import { maxPosition, parsePosition, type Position } from '@novacron/contracts/position';
import type { RoutedResults, Database, Session, Statement } from '@novacron/postgres/database';
import { codeOf } from '@novacron/postgres/failure';
import { TenantDatabase } from '@novacron/service-kit/inject';
import { PRESENT_MS } from '../store/latest.js';
import { builtInId } from '../store/metric-names.js';
import { VmLocator } from '../vms/vm-locator.js';
import { idsAhead, latestValues, newestOf, pageOf, storedOf, type NewestRow } from './latest-reader.js';
import { planRange, unitOf, type RangePlan } from './plan.js';
import { BY_INDEX, EXACT_RANGE, KNOWN_VM, NUMBERS, RANGE } from './range-sql.js';
import { shown, type Read } from './read.js';

interface Bucket {
  readonly metric: number;
  readonly bucket: number;
  /** A text is exact, and may exceed a double. */
  readonly value: number | string;
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: numeric_value_out_of_range */
const OUT_OF_RANGE = '22003';

function exactOf(agg: RangePlan['agg']): Statement | undefined {
  return agg === 'avg' || agg === 'sum' || agg === 'rate' ? EXACT_RANGE[agg] : undefined;
}

/** Reads the series of one VM under the tenant's row-level security. */
@Injectable()
export class SeriesReader {
  /** @param vms for a VM whose first event has not arrived */
  constructor(
    @TenantDatabase() private readonly db: Database,
    @Inject(VmLocator) private readonly vms: Pick<VmLocator, 'owns'>,
  ) {}

  /**
   * The values of each metric at `from + k * step`; null without points, or when the result exceeds a double.
   * @throws ServiceError not_found, invalid_request
   */
  async range(meta: RequestMeta, query: RangeQuery): Promise<Read<RangeResult>> {
    const plan = planRange(query);
    const { ids, without } = await this.#idsOf(meta, plan.metrics);
    const params = [query.vmId, [...ids.values()], plan.from, plan.to, plan.stepMs];
    const all = plan.agg === 'rate' ? [...params, plan.readFrom] : params;
    const read = (statement: Statement) =>
      this.#session(meta).read(readOptions(meta), [
        { statement: KNOWN_VM, params: [query.vmId] },
        { statement: BY_INDEX },
        { statement, params: all },
      ]);
    const answers = await read(RANGE[plan.agg]).catch((error: unknown) => {
      const exact = exactOf(plan.agg);
      if (codeOf(error) !== OUT_OF_RANGE || !exact) throw error;
      return read(exact);
    });
    await this.#requireVm(meta, query.vmId, answers);
    const rows = (answers.results[2]?.rows ?? []) as unknown as Bucket[];
    const position = without ? earlier(without, answers.lowerBound) : answers.lowerBound;
    return { body: rangeResult(query, plan, ids, rows), ...shown({ ...answers, lowerBound: position }) };
  }

  /**
   * The newest value of each metric of the VM that is not in the future, page by page.
   * @param now milliseconds since 1970
   * @throws ServiceError not_found, invalid_request
   */
  async latest(
    meta: RequestMeta,
    { vmId, limit, cursor }: LatestQuery,
    now = Date.now(),
  ): Promise<Read<LatestResult>> {
    const session = this.#session(meta);
    const answers = await session.read(readOptions(meta), [
      { statement: KNOWN_VM, params: [vmId] },
      newestOf(vmId, idBefore(cursor), limit + 1),
    ]);
    await this.#requireVm(meta, vmId, answers);
    const { rows, nextId } = pageOf(answers.results[1]?.rows as unknown as NewestRow[], limit);
    const nextCursor = nextId === undefined ? null : `m${nextId}`;
    const present = now + PRESENT_MS;
    const ahead = idsAhead(rows, present);
    if (ahead.length === 0) {
      return { body: { vmId, values: latestValues(rows, [], present), nextCursor }, ...shown(answers) };
    }
    const more = await session.read(readOptions(meta), [
      { statement: BY_INDEX },
      storedOf(vmId, ahead, present),
    ]);
    const stored = more.results[1]?.rows as unknown as NewestRow[];
    const seen = maxPosition(answers.upperBound, more.upperBound);
    const position = earlier(answers.lowerBound, more.lowerBound);
    return {
      body: { vmId, values: latestValues(rows, stored, present), nextCursor },
      ...shown({ ...more, upperBound: seen, lowerBound: position }),
    };
  }

  #session({ consistency, minPosition }: RequestMeta): Session {
    if (consistency === 'strong') return this.db.strong;
    const causal = consistency === 'causal' && minPosition !== null;
    return this.db.replica(causal ? parsePosition(minPosition) : undefined);
  }

  async #requireVm(meta: RequestMeta, vmId: string, answers: RoutedResults): Promise<void> {
    if (answers.results[0]?.rows.length === 1) return;
    if (!(await this.vms.owns(meta, vmId)))
      throw new ServiceError('not_found', `There is no VM ${vmId}`, { readAt: shown(answers) });
  }

  /**
   * Names → ids; names without points have no id and are left out.
   * @returns also, when a name was left out, the position of that read: a later state may have the name
   */
  async #idsOf(
    meta: RequestMeta,
    metrics: readonly string[],
  ): Promise<{ ids: Map<string, number>; without?: Position }> {
    const ids = new Map<string, number>();
    const custom: string[] = [];
    for (const name of metrics) {
      const id = builtInId(name);
      if (id === undefined) custom.push(name);
      else ids.set(name, id);
    }
    if (custom.length === 0) return { ids };
    const session = this.#session(meta);
    const { rows, lowerBound: position } = await session.query<{ name: string; id: number }>(
      NUMBERS,
      [custom],
      readOptions(meta),
    );
    for (const { name, id } of rows) ids.set(name, id);
    return rows.length < custom.length ? { ids, without: position } : { ids };
  }
}

/** The id of the last metric on the page before; 0 for the first page. @throws ServiceError invalid_request */
function idBefore(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const number = /^m(\d{1,9})$/.exec(cursor)?.[1];
  if (number !== undefined) return Number(number);
  throw new ServiceError('invalid_request', 'The cursor is not one of this list', {
    errors: [{ path: '/cursor', message: 'pass nextCursor of the page before' }],
  });
}

function readOptions({ tenantId, remainingMs }: RequestMeta): { tenantId: string; timeoutMs: number } {
  return { tenantId, timeoutMs: remainingMs };
}

function earlier(a: Position, b: Position): Position {
  return maxPosition(a, b) === a ? b : a;
}

function rangeResult(
  query: RangeQuery,
  plan: RangePlan,
  ids: ReadonlyMap<string, number>,
  rows: readonly Bucket[],
): RangeResult {
  const timestamps = Array.from({ length: plan.buckets }, (_, k) => plan.from + k * plan.stepMs);
  const values = new Map<number, (number | null)[]>();
  for (const id of ids.values()) values.set(id, new Array<number | null>(plan.buckets).fill(null));
  for (const { metric, bucket, value } of rows) {
    const column = values.get(metric);
    // JSON cannot represent a result beyond the largest double.
    if (column) column[bucket] = Number.isFinite(Number(value)) ? Number(value) : null;
  }
  return {
    from: query.from,
    to: query.to,
    step: query.step,
    resolution: 0,
    series: plan.metrics.map((metric) => ({
      metric,
      unit: unitOf(metric, plan.agg),
      agg: plan.agg,
      timestamps,
      values: values.get(ids.get(metric) ?? -1) ?? new Array<number | null>(plan.buckets).fill(null),
    })),
  };
}
