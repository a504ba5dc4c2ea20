import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainEvent, type Watermark } from '@novacron/contracts/events';
import { newId } from '@novacron/contracts/ids';
import { parsePosition } from '@novacron/contracts/position';
import { REPLY_BYTES } from '@novacron/contracts/reply-size';
import { appendEvents } from '../src/append.js';
import { fetchEvents } from '../src/fetch.js';
import { until } from '@novacron/testkit/wait';
import { OutboxHarness, TENANT, vmEvent } from './outbox-harness.js';

let harness: OutboxHarness;
beforeAll(async () => {
  harness = await OutboxHarness.start();
});
afterAll(() => harness?.stop());

describe('the relay', () => {
  it('numbers without a hole and publishes once each, though transactions commit late and several instances run', async () => {
    const relays = [harness.relay(), harness.relay(), harness.relay()];
    const marks: Watermark[] = [];
    const late: string[] = [];
    const commits: { lsn: bigint; ids: string[] }[] = [];
    harness.watermarks((mark) => marks.push(mark));
    for (const relay of relays) relay.start();

    const writer = async (worker: number): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        const events = Array.from({ length: 1 + ((i + worker) % 3) }, () => vmEvent());
        const { position } = await harness.sys.transaction({}, async (tx) => {
          await appendEvents(tx, events);
          if (i % 5 === worker % 5) await sleep(Math.random() * 40);
        });
        commits.push({ lsn: position.lsn, ids: events.map((event) => event.id) });
        relays[worker % 3]?.wake();
      }
    };
    await Promise.all([0, 1, 2, 3, 4, 5].map(writer));
    const ids = commits.flatMap((commit) => commit.ids);
    await until(async () => (await harness.published()) >= ids.length && marks.length > 5);

    const stored = await harness.stream();
    expect(stored.map((event) => event.seq)).toEqual(ids.map((_, index) => index + 1));
    expect(new Set(stored.map((event) => event.id))).toEqual(new Set(ids));
    for (const event of stored) DomainEvent.parse(event);
    expect(relays.filter((relay) => relay.stats().leading)).toHaveLength(1);

    // A token above a watermark's position is not covered; one below it is: its events have a number up to it.
    const seqOf = new Map(stored.map((event) => [event.id as string, event]));
    for (const mark of marks) {
      const position = parsePosition(mark.position).lsn;
      for (const commit of commits) {
        if (commit.lsn >= position) continue;
        for (const id of commit.ids) if ((seqOf.get(id)?.seq ?? Infinity) > mark.seq) late.push(id);
      }
    }
    expect(late).toEqual([]);

    // An event's position is at or after its commit: a reader at it sees the change.
    for (const mark of stored) expect(parsePosition(mark.position).lsn > 0n).toBe(true);
    const positions = stored.map((event) => parsePosition(event.position).lsn);
    expect(positions).toEqual([...positions].sort((a, b) => (a < b ? -1 : 1)));
    for (const relay of relays) await relay.stop();
  });

  it('publishes the watermark at least every 100 ms while idle, and it moves with the WAL', async () => {
    const relay = harness.relay();
    relay.start();
    await until(() => relay.stats().leading);
    const times: number[] = [];
    const marks: Watermark[] = [];
    harness.watermarks((mark) => {
      times.push(performance.now());
      marks.push(mark);
    });
    await until(() => times.length >= 10);
    const lsn = await harness.append(vmEvent());
    relay.wake();
    await until(() => parsePosition(marks.at(-1)!.position).lsn >= lsn);
    const gaps = times.slice(1).map((time, index) => time - (times[index] as number));
    // The promise is 100 ms. The median of a busy machine is below half a second, and that of one that tells it
    // only when something happens is not.
    expect(gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)]).toBeLessThan(500);
    await relay.stop();
  });

  it('is woken by a commit of another instance, not only by its own looking', async () => {
    // By itself it would look when this test has failed.
    const [leader, other] = [harness.relay({ pollMs: 60_000 }), harness.relay()];
    leader.start();
    await until(() => leader.stats().leading);
    other.start();
    for (let i = 0; i < 10; i++) {
      const before = leader.stats().published;
      await harness.append(vmEvent());
      other.wake();
      await until(() => leader.stats().published > before);
      await sleep(10);
    }
    expect(other.stats().leading).toBe(false);
    await Promise.all([leader.stop(), other.stop()]);
  });

  it('keeps the order of one resource across transactions', async () => {
    const relay = harness.relay();
    relay.start();
    const resourceId = newId<string>();
    for (let version = 1; version <= 50; version++) {
      await harness.append(vmEvent({ resourceId, version }));
      relay.wake();
    }
    const versions = async () =>
      (await harness.stream())
        .filter((event) => event.resourceId === resourceId)
        .map((event) => event.version);
    await until(async () => (await versions()).length === 50);
    expect(await versions()).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    await relay.stop();
  });

  it('carries data as it was written, and answers it by number', async () => {
    const relay = harness.relay();
    relay.start();
    const data = {
      name: 'grüße "quoted" \\ \u2028',
      nested: [1, null, { deep: true }],
      big: 'x'.repeat(20_000),
    };
    const event = vmEvent({ data, tenantId: 'platform', kind: 'host' });
    await harness.append(event);
    relay.wake();
    await until(async () => (await harness.stream()).some(({ id }) => id === event.id));
    const stored = (await harness.stream()).find(({ id }) => id === event.id)!;
    expect(stored.data).toEqual(data);
    const { events, lastSeq } = await fetchEvents(harness.sys.primary, stored.seq, stored.seq);
    expect(events).toEqual([stored]);
    expect(lastSeq).toBe(stored.seq);
    await relay.stop();
  });

  it('answers as many events as fit one message, and the rest to the next question', async () => {
    const relay = harness.relay();
    relay.start();
    const large = Array.from({ length: 30 }, () => vmEvent({ data: { big: '\u0001'.repeat(15_000) } }));
    await harness.append(...large);
    relay.wake();
    const ids = large.map(({ id }) => id);
    const seqs = async () =>
      (await harness.stream()).filter(({ id }) => ids.includes(id)).map(({ seq }) => seq);
    await until(async () => (await seqs()).length === large.length);
    const [first, last] = [Math.min(...(await seqs())), Math.max(...(await seqs()))];
    const found: number[] = [];
    for (let from = first; from <= last; from = (found.at(-1) as number) + 1) {
      const { events } = await fetchEvents(harness.sys.primary, from, last);
      expect(Buffer.byteLength(JSON.stringify(events))).toBeLessThan(REPLY_BYTES);
      found.push(...events.map(({ seq }) => seq));
    }
    expect(found).toEqual((await seqs()).sort((a, b) => a - b));
    await relay.stop();
  });

  it('deletes events that are older than the retention', async () => {
    await harness.append(vmEvent({ at: new Date(Date.now() - 8 * 24 * 3_600_000).toISOString() }));
    const relay = harness.relay();
    relay.start();
    await until(async () => (await harness.numbered()).waiting === 0 && relay.stats().published > 0);
    const { n } = await harness.numbered();
    await relay.purge();
    expect((await harness.numbered()).n).toBe(n - 1);
    await relay.stop();
  });
});

describe('the tables under the _api role', () => {
  it('take events of the tenant that is set only, and show numbered ones of that tenant only', async () => {
    const api = harness.database('api');
    const own = { tenantId: TENANT };
    await api.transaction(own, (tx) => appendEvents(tx, [vmEvent()]));
    const foreign = api.transaction(own, (tx) => appendEvents(tx, [vmEvent({ tenantId: newId<string>() })]));
    await expect(foreign).rejects.toMatchObject({ code: '42501' });
    const platform = await api.primary.query(
      { text: "SELECT 1 FROM outbox WHERE tenant_id = 'platform'" },
      [],
      own,
    );
    expect(platform.rows).toEqual([]);
    await expect(api.primary.query({ text: 'SELECT 1 FROM outbox' })).rejects.toMatchObject({
      code: '42501',
    });
  });
});
