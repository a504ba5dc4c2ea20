import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import type { Watermark } from '@novacron/contracts/events';
import { until } from '@novacron/testkit/wait';
import { fetchEvents } from '../src/fetch.js';
import type { NewEvent } from '../src/append.js';
import type { Relay, RelayOptions } from '../src/relay.js';
import { OutboxHarness, vmEvent } from './outbox-harness.js';

let harness: OutboxHarness;
let relay: Relay | undefined;
let mark: Watermark | undefined;
const counted: string[] = [];

beforeAll(async () => {
  harness = await OutboxHarness.start();
  harness.watermarks((one) => (mark = one));
});
beforeEach(() => {
  counted.length = 0;
});
afterEach(() => relay?.stop());
afterAll(() => harness?.stop());

function relays(more: Partial<RelayOptions> = {}): void {
  relay = harness.relay({ onSetAside: (reason) => counted.push(reason), ...more });
  relay.start();
}

/** Appends `middle` between two events that can be published. @returns the three, as the stream and the owner have them */
async function passes(middle: NewEvent & { id: string }) {
  const [before, after] = [vmEvent(), vmEvent()];
  await harness.append(before, middle, after);
  await until(async () => (await harness.numbered()).waiting === 0);
  const { top } = await harness.numbered();
  await until(() => relay?.stats().published === top && mark?.seq === top);
  const inStream = (await harness.stream()).map(({ id }) => id as string);
  expect(inStream).toEqual(expect.arrayContaining([before.id, after.id]));
  expect(inStream).not.toContain(middle.id);
  return Number(top) - 1;
}

const zone = (name: string) =>
  vmEvent({ type: 'zone.created', tenantId: 'platform', kind: 'zone', resourceId: name, data: { name } });

describe('an event that can never be published', () => {
  it.each([
    ['a space', 'eu west'],
    ['a wildcard', 'eu*'],
    ['a full wildcard', '>'],
    ['a dot', 'eu.west'],
    ['an empty name', ''],
    ['a line break', 'eu\nwest'],
    ['a control character', 'eu\u0007'],
    ['a letter outside of ASCII', 'zürich'],
    ['a name of 200 characters', 'z'.repeat(200)],
  ])('stops no event behind it when its resource has %s', async (_what, name) => {
    relays();
    const event = zone(name);
    const seq = await passes(event);
    expect(await harness.setAside()).toContainEqual({ seq, reason: 'illegal_subject' });
    expect(counted).toEqual(['illegal_subject']);
    const { events } = await fetchEvents(harness.sys.primary, seq, seq);
    expect(events).toEqual([expect.objectContaining({ id: event.id, resourceId: name, data: { name } })]);
  });

  it('stops no event behind it when it is larger than a message may be', async () => {
    relays();
    const event = vmEvent({ data: 'x'.repeat(1_100_000) });
    const seq = await passes(event);
    expect(counted).toEqual(['too_large']);
    const { events } = await fetchEvents(harness.sys.primary, seq, seq);
    expect(events).toEqual([expect.objectContaining({ id: event.id, seq, data: null })]);
  });

  it('stops no event behind it when the stream refuses it alone', async () => {
    const refused = vmEvent();
    relays({
      js: {
        publish: (subject, payload, options) =>
          subject.endsWith(refused.resourceId)
            ? Promise.reject(new Error('no'))
            : harness.js.publish(subject, payload, options),
      },
    });
    const seq = await passes(refused);
    expect(await harness.setAside()).toContainEqual({ seq, reason: 'refused' });
    expect(counted).toEqual(['refused']);
  });

  it('no longer stops the relay of a database in which it was numbered before', async () => {
    const event = zone('eu west');
    const text = `WITH next AS (UPDATE outbox_counter SET seq = seq + 1 RETURNING seq)
      INSERT INTO outbox (tenant_id, seq, id, position, kind, resource_id, type, version, at, data)
      SELECT 'platform', seq, $1, $2, 'zone', 'eu west', 'zone.created', 1, now(), '{}' FROM next`;
    const position = `${harness.sys.lineage?.systemId}.1.1`;
    await harness.sys.primary.batch({}, [{ statement: { text }, params: [event.id, position] }]);
    relays();
    const { top } = await harness.numbered();
    await until(() => relay?.stats().published === top);
    expect(counted).toEqual(['illegal_subject']);
    await relay?.stop();
    relays();
    const next = vmEvent();
    await harness.append(next);
    await until(() => relay?.stats().published === Number(top) + 1);
    expect(counted).toEqual(['illegal_subject']);
  });
});

describe('events that their owner is asked for', () => {
  it('fit one message, at least one at a time', async () => {
    relays();
    const first = Number((await harness.numbered()).top) + 1;
    await harness.append(
      ...Array.from({ length: 12 }, () => vmEvent({ data: newId<string>().repeat(5_000) })),
    );
    await until(async () => (await harness.numbered()).top === first + 11);
    const seqs: number[] = [];
    for (let from = first; from <= first + 11; from = seqs.at(-1)! + 1) {
      const { events } = await fetchEvents(harness.sys.primary, from, first + 11);
      expect(JSON.stringify(events).length).toBeLessThan(1_000_000);
      seqs.push(...events.map(({ seq }) => seq));
    }
    expect(seqs).toEqual(Array.from({ length: 12 }, (_, index) => first + index));
  });
});
