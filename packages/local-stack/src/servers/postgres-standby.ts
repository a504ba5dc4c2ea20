import { asAdmin } from './postgres-admin.js';

type Server = { readonly port: number; readonly adminPassword: string };

const PROMOTE_WITHIN_S = 60;

/** Makes a replica apply every commit `ms` later, or at once for `null`. The setting survives restarts. */
export async function delayReplay(server: Server, ms: number | null): Promise<void> {
  const setting = ms === null ? 'RESET recovery_min_apply_delay' : `SET recovery_min_apply_delay = '${ms}ms'`;
  await asAdmin(server, 'postgres', async (client) => {
    await client.query(`ALTER SYSTEM ${setting}`);
    await client.query('SELECT pg_reload_conf()');
  });
}

/** Pauses replay: the replica still receives and answers, but shows no new commit until it resumes or restarts. */
export async function pauseReplay(server: Server): Promise<void> {
  await asAdmin(server, 'postgres', (client) => client.query('SELECT pg_wal_replay_pause()'));
}

export async function resumeReplay(server: Server): Promise<void> {
  await asAdmin(server, 'postgres', (client) => client.query('SELECT pg_wal_replay_resume()'));
}

/**
 * Makes a replica a primary, on a new timeline that starts after the last commit that it received. Does nothing
 * when the server is a primary already. The old primary must be stopped first.
 */
export async function promoteStandby(server: Server): Promise<void> {
  await asAdmin(server, 'postgres', async (client) => {
    const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
    if (rows[0]?.standby !== true) return;
    const answer = await client.query<{ done: boolean }>(
      `SELECT pg_promote(true, ${PROMOTE_WITHIN_S}) AS done`,
    );
    if (answer.rows[0]?.done !== true)
      throw new Error(`the promotion did not end within ${PROMOTE_WITHIN_S} s`);
  });
}

/** Drops those of the replication slots that are not in use. */
export async function dropSlots(primary: Server, slots: readonly string[]): Promise<void> {
  await asAdmin(primary, 'postgres', (client) =>
    client.query(
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
        WHERE slot_name = ANY($1::text[]) AND NOT active`,
      [slots],
    ),
  );
}
