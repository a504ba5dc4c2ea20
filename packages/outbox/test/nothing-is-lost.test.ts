import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { until } from '@novacron/testkit/wait';
import { OutboxHarness, vmEvent } from './outbox-harness.js';

let harness: OutboxHarness;
const children: ChildProcess[] = [];

beforeAll(async () => {
  harness = await OutboxHarness.start();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => harness?.stop());

/** A relay in a process of its own, to be killed. */
function relayProcess(): ChildProcess {
  const env = {
    ...process.env,
    RELAY_DATABASE: JSON.stringify(harness.settings('sys')),
    RELAY_NATS: JSON.stringify(harness.servers.natsLogin('orchestrator')),
  };
  const child = spawn(process.execPath, ['test/relay-process.mjs'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

async function expectAll(ids: string[]): Promise<void> {
  await until(async () => (await harness.numbered()).waiting === 0);
  const { top } = await harness.numbered();
  await until(async () => (await harness.published()) >= Number(top));
  const stored = await harness.stream();
  expect(stored.map((event) => event.id)).toHaveLength(new Set(stored.map((event) => event.id)).size);
  expect(stored.map((event) => event.seq).sort((a, b) => a - b)).toEqual(stored.map((_, index) => index + 1));
  const present = new Set<string>(stored.map((event) => event.id));
  expect(ids.filter((id) => !present.has(id))).toEqual([]);
}

describe('an event that was committed', () => {
  it('is published once by its id though the relay is killed again and again', async () => {
    const ids: string[] = [];
    let writing = true;
    const writer = (async () => {
      while (writing) {
        const events = [vmEvent(), vmEvent(), vmEvent()];
        await harness.append(...events);
        ids.push(...events.map((event) => event.id));
        await sleep(1);
      }
    })();
    for (let round = 0; round < 4; round++) {
      const child = relayProcess();
      await once(child.stdout!, 'data');
      await sleep(150 + round * 70);
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    writing = false;
    await writer;
    const relay = harness.relay();
    relay.start();
    await expectAll(ids);
    await relay.stop();
  });

  it('is published by a stand-by when the one that led is killed', async () => {
    const child = relayProcess();
    await once(child.stdout!, 'data');
    const standby = harness.relay();
    standby.start();
    const first = vmEvent();
    await harness.append(first);
    await expectAll([first.id]);
    expect(standby.stats().leading).toBe(false);
    child.kill('SIGKILL');
    const second = vmEvent();
    await harness.append(second);
    await expectAll([second.id]);
    expect(standby.stats().leading).toBe(true);
    await standby.stop();
  });

  it('waits in Postgres, numbered, while NATS is down, and is published in order after', async () => {
    const relay = harness.relay();
    relay.start();
    await until(() => relay.stats().leading);
    await harness.servers.nats.kill();
    const ids: string[] = [];
    try {
      for (let i = 0; i < 30; i++) {
        const events = Array.from({ length: 100 }, () => vmEvent());
        await harness.append(...events);
        ids.push(...events.map((event) => event.id));
        relay.wake();
      }
      await until(async () => (await harness.numbered()).waiting === 0);
      expect(relay.stats().published).toBeLessThan(relay.stats().numbered);
    } finally {
      await harness.servers.nats.start();
    }
    await expectAll(ids);
    await relay.stop();
  });

  it('is numbered and published after the database closed the relay’s connection', async () => {
    const relay = harness.relay();
    relay.start();
    await until(() => relay.stats().leading);
    await harness.sys.primary.query({
      text: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE usename = current_user AND pid <> pg_backend_pid() AND datname = current_database()`,
    });
    const event = vmEvent();
    await harness.append(event);
    await expectAll([event.id]);
    await relay.stop();
  });

  it('is of this database’s history when it was numbered in one that was restored from a dump', async () => {
    await harness.servers.nats.kill();
    const event = vmEvent();
    try {
      const before = harness.relay();
      before.start();
      await harness.append(event);
      await until(async () => (await harness.numbered()).waiting === 0);
      await before.stop();
      const text = "UPDATE outbox SET position = '7000000000000000001.1.5' WHERE id = $1";
      await harness.sys.primary.batch({}, [{ statement: { text }, params: [event.id] }]);
    } finally {
      await harness.servers.nats.start();
    }
    const after = harness.relay();
    after.start();
    await expectAll([event.id]);
    const published = (await harness.stream()).find(({ id }) => id === event.id);
    expect(published?.position.split('.')[0]).toBe(harness.sys.lineage?.systemId);
    await after.stop();
  });
});
