import type { Call, Statement } from './statement.js';

// The statements around every query, prepared once per connection.
export const BEGIN: Statement = { name: 'nc_begin', text: 'BEGIN', table: 'none' };
export const BEGIN_READ: Statement = { name: 'nc_begin_read', text: 'BEGIN READ ONLY', table: 'none' };
export const COMMIT: Statement = { name: 'nc_commit', text: 'COMMIT', table: 'none' };
export const ROLLBACK: Statement = { name: 'nc_rollback', text: 'ROLLBACK', table: 'none' };
const SET_TENANT: Statement = {
  name: 'nc_tenant',
  text: "SELECT set_config('app.tenant_id', $1, true)",
  table: 'none',
};

/** The WAL that is on the primary's disk; NULL never, an error on a standby. */
export const FLUSHED: Statement = {
  name: 'nc_flushed',
  text: 'SELECT pg_current_wal_flush_lsn() AS lsn',
  table: 'none',
};

/** Transactions whose commit may be on disk or on replicas and not visible here: packages/provisioning, `superuser-sql.ts`. */
export const COMMITTING: Statement = {
  name: 'nc_committing',
  text: 'SELECT novacron.committing() AS xids',
  table: 'none',
};

/** How far a standby has replayed. NULL lsn or standby false: promoted since, not a replica any more. */
export const REPLAYED: Statement = {
  name: 'nc_replayed',
  text: 'SELECT pg_last_wal_replay_lsn() AS lsn, pg_is_in_recovery() AS standby',
  table: 'none',
};

/** How far a standby may show commits: the redo of a commit is visible just before it counts as replayed. */
export const RECEIVED: Statement = {
  name: 'nc_received',
  text: 'SELECT greatest(pg_last_wal_replay_lsn(), pg_last_wal_receive_lsn()) AS lsn',
  table: 'none',
};

/** The age of the last transaction that a standby replayed; without meaning while the primary is idle. */
export const LAST_REPLAYED: Statement = {
  name: 'nc_last_replayed',
  text: 'SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8 * 1000 AS ms',
  table: 'none',
};

/**
 * System identifier and timeline. A primary's timeline is that of the file it writes; the control file would
 * show the one before until the first checkpoint after a promotion.
 */
export const WHO_ARE_YOU: Statement = {
  name: 'nc_identity',
  text: `SELECT system_identifier::text AS system_id,
                pg_is_in_recovery() AS standby,
                to_regprocedure('novacron.committing()') IS NOT NULL AS tells_commits,
                CASE WHEN pg_is_in_recovery()
                     THEN (SELECT greatest(c.timeline_id, r.min_recovery_end_timeline)
                             FROM pg_control_checkpoint() c, pg_control_recovery() r)
                     ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
                END AS timeline
           FROM pg_control_system()`,
  table: 'none',
};

/** See `superuser-sql.ts` of packages/provisioning; asked of promoted servers only. */
export const TIMELINE_HISTORY: Statement = {
  name: 'nc_timeline_history',
  text: 'SELECT novacron.timeline_history() AS history',
  table: 'none',
};

/** Makes the tenant known to row-level security until the end of the transaction. */
export function setTenant(tenantId: string): Call {
  if (tenantId === '') throw new Error('the tenant of a transaction is empty');
  return { statement: SET_TENANT, params: [tenantId] };
}
