import { moduleOf } from './module-of.js';

/** The part of packages/postgres that this changes. */
interface Call {
  readonly statement: { readonly name?: string; readonly text: string; readonly table: string };
}
interface Link {
  run(calls: readonly Call[], timeoutMs?: number): Promise<unknown[]>;
}

/** One snapshot for all following statements, as within one query. */
const BEGIN: Call = {
  statement: {
    name: 'sabotage_begin',
    text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    table: 'none',
  },
};
/** Takes the snapshot, waits 5 ms like a query, then reads the position. */
const REPLAYED: Call = {
  statement: {
    name: 'sabotage_replayed',
    text: 'SELECT pg_last_wal_replay_lsn() AS lsn, pg_is_in_recovery() AS standby FROM pg_sleep(0.005)',
    table: 'none',
  },
};

const { Link } = (await moduleOf('postgres', 'link.js')) as { Link: { prototype: Link } };
const { run } = Link.prototype;
Link.prototype.run = async function (this: Link, calls, timeoutMs) {
  const [position, begin, ...rest] = calls;
  if (position?.statement.name !== 'nc_replayed' || begin === undefined)
    return run.call(this, calls, timeoutMs);
  const [begun, replayed, ...results] = await run.call(this, [BEGIN, REPLAYED, ...rest], timeoutMs);
  return [replayed, begun, ...results];
};
