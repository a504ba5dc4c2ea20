import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@novacron/testkit/wait';
import { isPartOf, parseTimelineHistory, type Lineage } from '../src/lineage.js';
import { TIMELINE_HISTORY_SQL } from '@novacron/provisioning/superuser-sql';
import type { Database } from '../src/database.js';
import {
  GET,
  INSERT,
  SET_VERSION,
  startPostgresHarness,
  TENANT_A,
  type PostgresHarness,
} from './postgres-harness.js';

let harness: PostgresHarness;
let before: Database;
const own = { tenantId: TENANT_A };

beforeAll(async () => {
  harness = await startPostgresHarness({ replica: true });
  before = harness.open('api');
});
afterAll(() => harness?.stop());

async function asAdmin(port: number, sql: string): Promise<void> {
  const admin = harness.cluster.admin(port);
  await admin.connect();
  await admin.query(sql);
  await admin.end();
}

describe('after the replica was promoted', () => {
  it('a token from before the fork is answered, one from beyond it is history_lost', async () => {
    const { primary, replica } = harness.cluster;
    const kept = await before.primary.batch(own, [{ statement: INSERT, params: [TENANT_A, 'v', 1] }]);
    await until(
      async () => (await before.replica(kept.position).query(GET, ['v'], own)).servedFrom === 'replica',
    );
    replica.promote();
    const lost = await before.primary.batch(own, [{ statement: SET_VERSION, params: ['v', 2] }]);
    primary.stop('immediate');

    const promoted = { primary: { host: '127.0.0.1', port: replica.port }, replicas: [] };
    const blind = harness.open('api', promoted);
    await expect(blind.replica(kept.position).query(GET, ['v'], own)).rejects.toMatchObject({
      code: 'history_lost',
    });

    await asAdmin(replica.port, TIMELINE_HISTORY_SQL);
    const after = harness.open('api', promoted);
    // The new timeline grows beyond the lost position: its number alone says nothing.
    for (let n = 0; n < 50; n++) {
      await after.primary.batch(own, [{ statement: INSERT, params: [TENANT_A, `n${n}`, 1] }]);
    }
    const answer = await after.replica(kept.position).query<{ version: number }>(GET, ['v'], own);
    expect(answer.rows[0]?.version).toBe(1);
    expect(answer.upperBound.timeline).toBe(kept.position.timeline + 1);
    expect(answer.upperBound.lsn > lost.position.lsn).toBe(true);
    await expect(after.replica(lost.position).query(GET, ['v'], own)).rejects.toMatchObject({
      code: 'history_lost',
    });
    const newer = await after.primary.batch(own, [{ statement: SET_VERSION, params: ['v', 3] }]);
    await expect(after.replica(newer.position).query(GET, ['v'], own)).resolves.toMatchObject({
      rowCount: 1,
    });
    // What consumers ask of an event: whether it is one of this database's writes.
    const history = after.lineage as Lineage;
    expect([kept, lost, newer].map(({ position }) => isPartOf(position, history))).toEqual([
      true,
      false,
      true,
    ]);
    expect(isPartOf({ ...kept.position, systemId: '1' }, history)).toBe(false);
    expect(isPartOf(newer.position, before.lineage as Lineage)).toBe(true);
  });
});

describe('a timeline history file', () => {
  it('is read line by line', () => {
    const forks = parseTimelineHistory('1\t0/3000148\tno recovery target specified\n\n2\t1/A\tbefore 2026\n');
    expect([...forks]).toEqual([
      [1, 0x3000148n],
      [2, (1n << 32n) + 10n],
    ]);
  });
});
