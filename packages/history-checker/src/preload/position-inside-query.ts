import { Connection } from '@novacron/postgres/connection';

type Call = Parameters<Connection['run']>[0][number];

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

const { run } = Connection.prototype;
Connection.prototype.run = async function (this: Connection, calls, timeoutMs) {
  const [position, begin, ...rest] = calls;
  if (position?.statement.name !== 'nc_replayed' || begin === undefined)
    return run.call(this, calls, timeoutMs);
  const [begun, replayed, ...results] = await run.call(this, [BEGIN, REPLAYED, ...rest], timeoutMs);
  return [replayed, begun, ...results].filter((result) => result !== undefined);
};
