import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { until } from '@novacron/testkit/wait';
import { ROUNDS } from '../src/attempts.js';
import { Publisher } from '../src/publisher.js';
import type { StoredEvent } from '../src/stored-event.js';

const GOOD = newId<string>();

/** A numbered event of a zone; a name with a space cannot be a subject. */
function numbered(seq: number, name: string = GOOD): StoredEvent {
  const event = {
    seq,
    id: newId<string>(),
    position: `7.${seq}.1`,
    tenant_id: 'platform',
    kind: 'zone' as const,
  };
  return { ...event, resource_id: name, type: 'zone.created', version: 1, at: new Date(), data: '{}' };
}

describe('a publisher whose stream does not answer while NATS is connected', () => {
  let publisher: Publisher;
  let rows: StoredEvent[];
  let rounds: number;
  let stream: Set<string>;
  let aside: { seq: number; reason: string }[];
  /** What the stream does with an event; the publish waits for it. */
  let answer: (id: string) => Promise<void>;

  beforeEach(() => {
    [rows, rounds, stream, aside] = [[], 0, new Set(), []];
    answer = () => Promise.reject(new Error('no answer'));
  });
  afterEach(() => publisher.stop());

  function publishes(events: StoredEvent[]): void {
    rows = events;
    publisher = new Publisher(
      {
        publish: async (_subject, _payload, id) => {
          await answer(id);
          stream.add(id);
        },
        read: async (seq) => rows.filter((row) => row.seq > seq),
        setAside: async ({ seq }, reason) => void aside.push({ seq, reason }),
        onProgress: () => undefined,
        onError: () => {
          rounds++;
          // Ends the pause before the next round.
          setImmediate(() => publisher.reconnected());
        },
      },
      { seq: 0, published: 0 },
      true,
    );
    publisher.offer(events);
  }

  const idOf = ({ id, position }: StoredEvent) => `${id}@${position.slice(0, position.lastIndexOf('.'))}`;

  it('publishes every good event around one that can never be published when the stream is back', async () => {
    publishes([numbered(1), numbered(2, 'eu west'), numbered(3), numbered(4)]);
    await until(() => rounds >= 3 * ROUNDS);
    expect(publisher.published).toBe(0);
    answer = async () => undefined;
    await until(() => publisher.published === 4);
    expect(stream).toEqual(new Set([rows[0]!, rows[2]!, rows[3]!].map(idOf)));
  });

  it('sets the event that can never be published aside once', async () => {
    publishes([numbered(1), numbered(2, 'eu west'), numbered(3)]);
    await until(() => rounds >= 3 * ROUNDS);
    expect(aside).toEqual([{ seq: 2, reason: 'illegal_subject' }]);
  });

  it('still sets aside the one event that a working stream refuses', async () => {
    publishes([numbered(1), numbered(2), numbered(3)]);
    const refused = idOf(rows[1]!);
    answer = (id) => (id === refused ? Promise.reject(new Error('no')) : Promise.resolve());
    await until(() => publisher.published === 3);
    expect(aside).toEqual([{ seq: 2, reason: 'refused' }]);
  });

  it('does not count the failures of rounds that a lost connection interrupted', async () => {
    let late: ((reason: Error) => void)[] = [];
    publishes([numbered(1), numbered(2), numbered(3)]);
    const slow = idOf(rows[1]!);
    answer = (id) => (id === slow ? new Promise((_resolve, reject) => late.push(reject)) : Promise.resolve());
    for (let times = 1; times <= 2 * ROUNDS; times++) {
      await until(() => late.length === times);
      publisher.disconnected();
      await until(() => rounds === times);
    }
    await until(() => late.length === 2 * ROUNDS + 1);
    for (const fail of late.slice(0, -1)) fail(new Error('no answer in time'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(aside).toEqual([]);
    answer = async () => undefined;
    late.at(-1)!(new Error('no answer in time'));
    late = [];
    await until(() => publisher.published === 3);
    expect(stream).toContain(slow);
    expect(aside).toEqual([]);
  });
});
