import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { createDatabase, type Database } from '@novacron/postgres/database';
import { ensureStreams } from '@novacron/messaging/streams';
import { loadConfig } from '@novacron/config/load';
import { eventually } from '@novacron/testkit/wait';
import { settings } from '../src/config.js';
import { newVm, MetricsHarness, type Point, type TestVm } from './metrics-harness.js';

let harness: MetricsHarness;
beforeAll(async () => {
  harness = await MetricsHarness.open();
});
afterEach(() => harness.stopIngesters());
afterAll(() => harness.close());

const start = Math.floor(Date.now() / 3_600_000) * 3_600_000;

/** Rows of the VM in the store. More rows than published points means duplicates. */
async function rows(vm: TestVm): Promise<number[]> {
  const text = 'SELECT ts::float8 AS ts FROM metrics.points WHERE vm_id = $1 ORDER BY ts';
  const answer = await harness.sys.primary.query<{ ts: number }>({ text }, [vm.vmId]);
  return answer.rows.map(({ ts }) => ts - start);
}

const point = (i: number): Point => [start + i, i];
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** A database whose transactions fail after their commit, like a connection that is lost at that moment. */
function losingCommits(times: number): Database {
  const { postgres } = loadConfig(settings, harness.servers.env('metrics'));
  const db = createDatabase({
    ...postgres,
    schema: 'metrics',
    role: 'sys',
    password: postgres.sysPassword,
    max: 4,
  });
  let left = times;
  return {
    ...db,
    async transaction(options, work) {
      const done = await db.transaction(options, work);
      if (left-- > 0) throw new Error('connection lost after COMMIT');
      return done;
    },
  };
}

describe('a point is stored exactly once', () => {
  it('when the process dies between the commit and the acknowledgement', async () => {
    const vm = await harness.place(newVm());
    const db = losingCommits(3);
    await harness.ingest(db);
    for (const i of upTo(20)) await harness.publish(vm, 'cpu_usage', [point(i)]);
    await harness.settled();
    expect(await rows(vm)).toEqual(upTo(20));
    await harness.stopIngesters();
    await db.close();
  });

  it('when a process vanishes and another one takes over', async () => {
    const vm = await harness.place(newVm());
    const first = await harness.ingest();
    await harness.publish(vm, 'cpu_usage', [point(0)]);
    await harness.settled();
    // It continues to read and write, although its leases say that it is dead.
    await harness.sys.primary.batch({}, [
      {
        statement: {
          text: "UPDATE metrics.intake SET owner = gen_random_uuid(), fence = fence + 1, lease_until = '-infinity'",
        },
      },
    ]);
    const publishing = (async () => {
      for (const i of upTo(50).slice(1)) await harness.publish(vm, 'cpu_usage', [point(i)]);
    })();
    await harness.ingest();
    await publishing;
    await harness.settled();
    expect(await rows(vm)).toEqual(upTo(50));
    await first.stop();
  });

  it('when processes start and stop, and share the partitions evenly', async () => {
    const vms = await Promise.all(upTo(40).map(() => harness.place(newVm())));
    const all = [await harness.ingest()];
    let publishing = true;
    let sent = 0;
    const load = (async () => {
      for (; publishing; sent++) for (const vm of vms) await harness.publish(vm, 'cpu_usage', [point(sent)]);
    })();
    all.push(await harness.ingest());
    await eventually(() => expect(all.map(({ ingester }) => ingester.owned.size)).toEqual([8, 8]));
    await all[0]?.stop();
    await eventually(() => expect(all[1]?.ingester.owned.size).toBe(16));
    publishing = false;
    await load;
    await harness.settled();
    for (const vm of vms) expect(await rows(vm)).toEqual(upTo(sent));
  });

  it('when NATS is killed and restarted', async () => {
    const vm = await harness.place(newVm());
    const ingest = await harness.ingest();
    for (const i of upTo(10)) await harness.publish(vm, 'cpu_usage', [point(i)]);
    await harness.servers.nats.kill();
    await harness.servers.nats.start();
    await eventually(() => expect(ingest.ingester.healthy).toBe(true));
    for (const i of upTo(20).slice(10)) await publishAgain(vm, i);
    await harness.settled();
    expect(await rows(vm)).toEqual(upTo(20));
  });

  it('when the stream is recreated and counts from one again', async () => {
    const vm = await harness.place(newVm());
    const ingest = await harness.ingest();
    for (const i of upTo(10)) await harness.publish(vm, 'cpu_usage', [point(i)]);
    await harness.settled();
    const manager = await jetstreamManager(harness.admin);
    await manager.streams.delete('METRICS');
    await ensureStreams(harness.admin, ['METRICS']);
    expect(await harness.publish(vm, 'cpu_usage', [point(10)])).toBe(1);
    await harness.publish(vm, 'cpu_usage', [[start + 5, 500]]);
    await harness.settled();
    await eventually(async () => expect(await rows(vm)).toEqual([0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10]));
    expect(ingest.ingester.owned.size).toBe(16);
    // Its sequence is lower than that of the old point, but its stream generation is higher.
    const latest = await harness.sys.primary.query<{ value: number }>(
      { text: 'SELECT value FROM metrics.points WHERE vm_id = $1 AND ts = $2 ORDER BY pos DESC LIMIT 1' },
      [vm.vmId, start + 5],
    );
    expect(latest.rows).toEqual([{ value: 500 }]);
  });

  it('when the stream has lost its last messages', async () => {
    const vm = await harness.place(newVm());
    await harness.ingest();
    for (const i of upTo(5)) await harness.publish(vm, 'cpu_usage', [point(i)]);
    await harness.settled();
    await harness.stopIngesters();
    // Simulates that JetStream has lost a hundred messages that Postgres has.
    await harness.sys.primary.batch({}, [
      { statement: { text: 'UPDATE metrics.intake SET seq = seq + 100 WHERE seq > 0' } },
    ]);
    await harness.publish(vm, 'cpu_usage', [point(5)]);
    await harness.ingest();
    await harness.publish(vm, 'cpu_usage', [point(6)]);
    await eventually(async () => expect((await rows(vm)).length).toBeGreaterThanOrEqual(7));
    expect(await rows(vm)).toEqual(upTo(7));
  });
});

async function publishAgain(vm: TestVm, i: number): Promise<void> {
  await eventually(() => harness.publish(vm, 'cpu_usage', [point(i)]));
}
