import { moduleOf } from './module-of.js';

/** What is changed of packages/postgres. */
interface Call {
  readonly statement: { readonly name?: string; readonly text: string; readonly table: string };
}
interface Link {
  run(calls: readonly Call[], timeoutMs?: number): Promise<unknown[]>;
}

/** One snapshot for all that follows, as within one query. */
const BEGIN: Call = {
  statement: {
    name: 'sabotage_begin',
    text: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    table: 'none',
  },
};
/** The snapshot is taken, then the query takes its 5 ms, then the function answers. */
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
