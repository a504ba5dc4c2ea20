import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { invalidationSubjects, MetricsInvalidation } from '@novacron/contracts/invalidation';
import { MetricsWatermarkTracker } from '@novacron/cache/metrics-watermark-tracker';
import { LatestQuery } from '@novacron/contracts/metrics';
import { parsePosition, type Position } from '@novacron/contracts/position';
import { eventually } from '@novacron/testkit/wait';
import { setTimeout as sleep } from 'node:timers/promises';
import { Announcer } from '../src/intake/announcer.js';
import { metaOf, newVm, MetricsHarness } from './metrics-harness.js';

const at = (lsn: bigint): Position => ({ systemId: '7', timeline: 1, lsn });

/** An announcer, its messages, and control over its connection. */
function announcer(maxVms = 2) {
  const published: MetricsInvalidation[] = [];
  const hands = { connected: true };
  const under = new Announcer({
    publish: (_, message) => published.push(MetricsInvalidation.parse(JSON.parse(message))),
    connected: () => hands.connected,
    everyMs: 500,
    maxVms,
  });
  return { under, published, hands };
}
const vm = (vmId: string) => ({ vmId, tenantId: `of-${vmId}` });

describe('an announcement of new points', () => {
  it('is sent at once after a pause, then once for all writes of a while, with each VM once, at the latest position', async () => {
    const { under, published } = announcer(10);
    // A completeness message is not an announcement of points.
    under.complete([3], at(0n));
    published.length = 0;
    under.add([vm('a')], at(1n));
    expect(published.map(({ vmIds }) => vmIds)).toEqual([['a']]);
    under.add([vm('a'), vm('b')], at(5n));
    under.add([vm('b')], at(3n));
    expect(published).toHaveLength(1);
    await eventually(() => expect(published).toHaveLength(2));
    expect(published[1]).toMatchObject({ vmIds: ['a', 'b'], tenantIds: ['of-a', 'of-b'], position: '7.1.5' });
    await sleep(120);
    expect(published).toHaveLength(2);
  });

  it('is split into messages of bounded size', () => {
    const { under, published } = announcer(2);
    under.add(['a', 'b', 'c', 'd', 'e'].map(vm), at(1n));
    expect(published.map(({ vmIds }) => vmIds.length)).toEqual([2, 2, 1]);
  });

  it('is numbered, from 1 again when an announcement may be missing', () => {
    const { under, published } = announcer(2);
    under.add(['a', 'b', 'c'].map(vm), at(1n));
    under.complete([3, 4], at(9n));
    expect(published.map(({ n, complete }) => [n, complete])).toEqual([
      [1, null],
      [2, null],
      [3, { partitions: [3, 4], upTo: '7.1.9' }],
    ]);
    under.restart();
    under.complete([3], at(12n));
    expect(published[3]).toMatchObject({ n: 1, vmIds: [], complete: { partitions: [3], upTo: '7.1.12' } });
    expect(new Set(published.map(({ source }) => source)).size).toBe(2);
  });

  it('is not followed by a completeness message while others wait', () => {
    const { under, published, hands } = announcer();
    hands.connected = false;
    under.add([vm('a')], at(1n));
    under.complete([3], at(9n));
    expect(published).toEqual([]);
  });

  it('is delayed while NATS is away', async () => {
    const { under, published, hands } = announcer();
    hands.connected = false;
    under.add([vm('a')], at(1n));
    await sleep(120);
    expect(published).toEqual([]);
    hands.connected = true;
    await eventually(() => expect(published).toHaveLength(1));
  });
});

describe('the ingester', () => {
  let harness: MetricsHarness;
  beforeAll(async () => void (harness = await MetricsHarness.open()), 60_000);
  afterEach(() => harness.stopIngesters());
  afterAll(() => harness.close());

  it('announces after the commit: a read at the announced position returns the points', async () => {
    const heard: MetricsInvalidation[] = [];
    const subscription = harness.admin.subscribe(invalidationSubjects.metrics, {
      callback: (_, message) => void heard.push(MetricsInvalidation.parse(message.json())),
    });
    await harness.ingest();
    const placed = await harness.place(newVm());
    const now = Date.now();
    await harness.publish(placed, 'cpu_usage', [[now, 42]]);
    const published = await eventually(() => {
      const found = heard.find(({ vmIds }) => vmIds.includes(placed.vmId));
      expect(found).toBeDefined();
      return found as MetricsInvalidation;
    });
    expect(published.tenantIds).toEqual([placed.tenantId]);
    const meta = { ...metaOf(placed), consistency: 'causal' as const, minPosition: published.position };
    const { body, holds } = await harness.reader().latest(meta, LatestQuery.parse({ vmId: placed.vmId }));
    expect(body.values['cpu_usage']).toEqual({ value: 42, timestamp: now });
    expect(parsePosition(holds).lsn).toBeGreaterThanOrEqual(parsePosition(published.position).lsn - 1n);
    subscription.unsubscribe();
  });

  it('announces up to which position every point of every partition is announced, also while it writes', async () => {
    const marks = new Map<string, bigint>();
    const tracker = new MetricsWatermarkTracker({
      advance: (position) => void marks.set('last', position),
      distrust: () => void marks.clear(),
    });
    const subscription = harness.admin.subscribe(invalidationSubjects.metrics, {
      callback: (_, message) => tracker.receive(MetricsInvalidation.parse(message.json())),
    });
    const beyond = async (position: bigint) => {
      await eventually(() => expect(marks.get('last') ?? 0n).toBeGreaterThan(position));
      return marks.get('last') as bigint;
    };
    const [first] = [await harness.ingest(), await harness.ingest()];
    const placed = await harness.place(newVm());
    let reached = await beyond(0n);
    for (let i = 0; i < 5; i++) {
      await harness.publish(placed, 'cpu_usage', [[Date.now(), i]]);
      reached = await beyond(reached);
    }
    // Its partitions go to the other process. Until that has announced all of them, no position is complete.
    await first.stop();
    await harness.publish(placed, 'cpu_usage', [[Date.now(), 9]]);
    await beyond(reached);
    subscription.unsubscribe();
  });
});
