import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig } from '@novacron/config/load';
import { createDatabase, type Database } from '@novacron/postgres/database';
import { settings } from '../src/config.js';
import { AccountReader } from '../src/query/account-reader.js';
import { metaOf, newVm, MetricsHarness, type Point, type TestVm } from './metrics-harness.js';

const POISON = 666;
const SLOW = 777;
const STATEMENT_TIMEOUT_MS = 1_000;

let harness: MetricsHarness;
beforeAll(async () => {
  harness = await MetricsHarness.open();
  const owner = database('owner');
  await owner.primary.batch({}, [
    {
      statement: {
        text: `CREATE FUNCTION metrics.trip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.value = ${POISON} THEN RAISE EXCEPTION 'poison'; END IF;
                 IF NEW.value = ${SLOW} THEN PERFORM pg_sleep(5); END IF;
                 PERFORM pg_sleep(0.02);
                 RETURN NEW; END $$`,
      },
    },
    {
      statement: {
        text: 'CREATE TRIGGER trip BEFORE INSERT ON metrics.latest FOR EACH ROW EXECUTE FUNCTION metrics.trip()',
      },
    },
  ]);
  await owner.close();
});
afterEach(() => harness.stopIngesters());
afterAll(() => harness.close());

function database(role: 'owner' | 'sys', statementTimeoutMs = 30_000): Database {
  const { postgres } = loadConfig(settings, harness.servers.env('metrics'));
  const password = (role === 'owner' ? postgres.ownerPassword : postgres.sysPassword) ?? '';
  return createDatabase({ ...postgres, schema: 'metrics', role, password, max: 4, statementTimeoutMs });
}

const start = Date.now() - 600_000;
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

async function values(vm: TestVm): Promise<number[]> {
  const text = 'SELECT value FROM metrics.points WHERE vm_id = $1 ORDER BY ts';
  return (await harness.sys.primary.query<{ value: number }>({ text }, [vm.vmId])).rows.map(
    ({ value }) => value,
  );
}

async function deadLetters(vm: TestVm): Promise<{ error: string; data: string }[]> {
  const text = `SELECT error, convert_from(data, 'UTF8') AS data FROM metrics.dead_letters
                WHERE convert_from(data, 'UTF8') LIKE '%' || $1 || '%'`;
  return (await harness.sys.primary.query<{ error: string; data: string }>({ text }, [vm.vmId])).rows;
}

/** Publishes every message before an ingester reads, so that one write has all of them. */
async function inOneWrite(publish: () => Promise<void>): Promise<void> {
  const db = database('sys', STATEMENT_TIMEOUT_MS);
  await publish();
  await harness.ingest(db);
  await harness.settled(120_000);
  await harness.stopIngesters();
  await db.close();
}

describe('a write of the ingester', () => {
  it('stores all but the one message that Postgres refuses, which is dead-lettered and shown to its tenant', async () => {
    const vm = await harness.place(newVm());
    await inOneWrite(async () => {
      for (const i of upTo(20)) {
        // The newest point, since the trigger fires for the newest point only.
        const point: Point = i === 7 ? [start + 100, POISON] : [start + i, i];
        await harness.publish(vm, 'requests', [point], 'gateway');
        // Points of other VMs in other partitions, so that they share the failing write.
        await harness.publish(await harness.place(newVm()), 'cpu_usage', [[start, i]]);
      }
    });
    expect(await values(vm)).toEqual(upTo(20).filter((i) => i !== 7));
    const [dead, ...others] = await deadLetters(vm);
    expect(others).toEqual([]);
    expect(dead?.error).toContain('poison');
    expect(JSON.parse(dead?.data ?? '')).toMatchObject({ vmIds: [vm.vmId], value: [POISON] });
    const { body } = await new AccountReader(harness.api).account(metaOf(vm));
    expect(body.dropped).toMatchObject([{ reason: 'unstorable', points: 1, last: { metric: 'requests' } }]);
  });

  it('dead-letters a message that exceeds the statement timeout by itself', async () => {
    const vm = await harness.place(newVm());
    await inOneWrite(async () => {
      for (const value of [1, SLOW, 2]) await harness.publish(vm, 'cpu_usage', [[start + value, value]]);
    });
    expect(await values(vm)).toEqual([1, 2]);
    expect(await deadLetters(vm)).toHaveLength(1);
  });

  it('is stored in smaller writes without loss when it exceeds the statement timeout', async () => {
    const vms = await Promise.all(upTo(150).map(() => harness.place(newVm())));
    await inOneWrite(async () => {
      for (const vm of vms) await harness.publish(vm, 'cpu_usage', [[start, 5]]);
    });
    for (const vm of vms) expect(await values(vm)).toEqual([5]);
  });
});
