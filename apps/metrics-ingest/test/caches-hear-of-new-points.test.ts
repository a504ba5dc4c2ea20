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

/** An announcer, what it told, and its connection in hand. */
function announcer(maxVms = 2) {
  const told: MetricsInvalidation[] = [];
  const hands = { connected: true };
  const under = new Announcer({
    publish: (_, message) => told.push(MetricsInvalidation.parse(JSON.parse(message))),
    connected: () => hands.connected,
    everyMs: 500,
    maxVms,
  });
  return { under, told, hands };
}
const vm = (vmId: string) => ({ vmId, tenantId: `of-${vmId}` });

describe('new points are announced', () => {
  it('at once after a pause, then once for all writes of a while, each VM once, at the latest position', async () => {
    const { under, told } = announcer(10);
    // To say how far all is told is no announcement of points.
    under.complete([3], at(0n));
    told.length = 0;
    under.add([vm('a')], at(1n));
    expect(told.map(({ vmIds }) => vmIds)).toEqual([['a']]);
    under.add([vm('a'), vm('b')], at(5n));
    under.add([vm('b')], at(3n));
    expect(told).toHaveLength(1);
    await eventually(() => expect(told).toHaveLength(2));
    expect(told[1]).toMatchObject({ vmIds: ['a', 'b'], tenantIds: ['of-a', 'of-b'], position: '7.1.5' });
    await sleep(120);
    expect(told).toHaveLength(2);
  });

  it('in messages of bounded size', () => {
    const { under, told } = announcer(2);
    under.add(['a', 'b', 'c', 'd', 'e'].map(vm), at(1n));
    expect(told.map(({ vmIds }) => vmIds.length)).toEqual([2, 2, 1]);
  });

  it('in numbered messages, that begin anew when something may not have been told', () => {
    const { under, told } = announcer(2);
    under.add(['a', 'b', 'c'].map(vm), at(1n));
    under.complete([3, 4], at(9n));
    expect(told.map(({ n, complete }) => [n, complete])).toEqual([
      [1, null],
      [2, null],
      [3, { partitions: [3, 4], upTo: '7.1.9' }],
    ]);
    under.restart();
    under.complete([3], at(12n));
    expect(told[3]).toMatchObject({ n: 1, vmIds: [], complete: { partitions: [3], upTo: '7.1.12' } });
    expect(new Set(told.map(({ source }) => source)).size).toBe(2);
  });

  it('and nothing is complete while something waits to be told', () => {
    const { under, told, hands } = announcer();
    hands.connected = false;
    under.add([vm('a')], at(1n));
    under.complete([3], at(9n));
    expect(told).toEqual([]);
  });

  it('later, when NATS is away at the moment', async () => {
    const { under, told, hands } = announcer();
    hands.connected = false;
    under.add([vm('a')], at(1n));
    await sleep(120);
    expect(told).toEqual([]);
    hands.connected = true;
    await eventually(() => expect(told).toHaveLength(1));
  });
});

describe('the intake', () => {
  let harness: MetricsHarness;
  beforeAll(async () => void (harness = await MetricsHarness.open()), 60_000);
  afterEach(() => harness.stopIngesters());
  afterAll(() => harness.close());

  it('tells after the commit: who reads at the position told sees the points', async () => {
    const heard: MetricsInvalidation[] = [];
    const subscription = harness.admin.subscribe(invalidationSubjects.metrics, {
      callback: (_, message) => void heard.push(MetricsInvalidation.parse(message.json())),
    });
    await harness.ingest();
    const placed = await harness.place(newVm());
    const now = Date.now();
    await harness.publish(placed, 'cpu_usage', [[now, 42]]);
    const told = await eventually(() => {
      const found = heard.find(({ vmIds }) => vmIds.includes(placed.vmId));
      expect(found).toBeDefined();
      return found as MetricsInvalidation;
    });
    expect(told.tenantIds).toEqual([placed.tenantId]);
    const meta = { ...metaOf(placed), consistency: 'causal' as const, minPosition: told.position };
    const { body, holds } = await harness.reader().latest(meta, LatestQuery.parse({ vmId: placed.vmId }));
    expect(body.values['cpu_usage']).toEqual({ value: 42, timestamp: now });
    expect(parsePosition(holds).lsn).toBeGreaterThanOrEqual(parsePosition(told.position).lsn - 1n);
    subscription.unsubscribe();
  });

  it('tells up to where all points are told, of every partition, whoever owns it, and goes on while it writes', async () => {
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
    // Its partitions go to the other one: until that is told of all of them nothing is vouched for.
    await first.stop();
    await harness.publish(placed, 'cpu_usage', [[Date.now(), 9]]);
    await beyond(reached);
    subscription.unsubscribe();
  });
});
