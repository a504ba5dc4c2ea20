/*
 * What a message of a JetStream consumer costs in CPU when its batch passes through a Nest event handler
 * (`@EventPattern` on a custom transport strategy), and when the consumer calls the handler directly. Build first, then:
 *
 *     node packages/messaging/test/bench/stream-handler.ts [rounds] [messages]
 *
 * Prints a line of JSON for batches of 1 and of 256: microseconds of CPU for each message (medians) and their ratio.
 */
import { jetstream } from '@nats-io/jetstream';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Server } from '@nestjs/microservices';
import { createLogger } from '@novacron/telemetry/logger';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import 'reflect-metadata';
import { firstValueFrom, isObservable } from 'rxjs';
import { connectNats } from '../../dist/connect.js';
import { DurableConsumer, type StreamMessage } from '../../dist/consumer.js';
import { ensureStreams, EVENTS } from '../../dist/streams.js';

const [rounds = 9, messages = 5_000] = process.argv.slice(2).map(Number);
const logger = createLogger('bench', 'silent');
let handled = 0;
let done = (): void => undefined;
const handle = async (batch: readonly StreamMessage[]): Promise<void> => {
  handled += batch.length;
  if (handled === messages) done();
};

class EventsController {
  handle(batch: readonly StreamMessage[]): Promise<void> {
    return handle(batch);
  }
}
Controller()(EventsController);
const method = Object.getOwnPropertyDescriptor(EventsController.prototype, 'handle') as PropertyDescriptor;
EventPattern('batch')(EventsController.prototype, 'handle', method);
class EventsModule {}
Module({ controllers: [EventsController] })(EventsModule);

class Strategy extends Server {
  listen(callback: () => void): void {
    callback();
  }
  close(): void {}
  on(): void {}
  unwrap<T>(): T {
    return undefined as T;
  }
  async dispatch(batch: readonly StreamMessage[]): Promise<void> {
    const result: unknown = await this.messageHandlers.get('batch')?.(batch);
    if (isObservable(result)) await firstValueFrom(result, { defaultValue: undefined });
  }
}

const median = (values: number[]): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

const port = 14_222 + (process.pid % 10_000);
const folder = mkdtempSync(join(tmpdir(), 'novacron-bench-'));
const login = ['--user', 'bench', '--pass', 'b'];
const nats = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder, ...login], {
  stdio: 'ignore',
});
const strategy = new Strategy();
const app = await NestFactory.createMicroservice(EventsModule, { strategy, logger: false });
await app.listen();
const url = `nats://127.0.0.1:${port}`;
const nc = await connectNats({ url, user: 'bench', password: 'b', name: 'bench' });
try {
  await ensureStreams(nc, [EVENTS], { eventsMaxBytes: 50_000_000, metricsMaxBytes: 50_000_000 });
  const js = jetstream(nc);
  const text = 'x'.repeat(500);
  for (let n = 0; n < messages; n += 500) {
    await Promise.all(Array.from({ length: 500 }, () => js.publish('events.t.vm.x', text)));
  }
  const consume = async (maxBatch: number, to: typeof handle): Promise<number> => {
    handled = 0;
    const ended = new Promise<void>((resolve) => (done = resolve));
    const durable = randomUUID();
    const consumer = new DurableConsumer({ nc, stream: EVENTS, durable, handle: to, maxBatch, logger });
    const before = process.cpuUsage();
    consumer.start();
    await ended;
    const { user, system } = process.cpuUsage(before);
    await consumer.stop();
    return (user + system) / messages;
  };
  for (const maxBatch of [1, 256]) {
    const pairs: { direct: number; nest: number }[] = [];
    for (let round = 0; round <= rounds; round++) {
      const direct = await consume(maxBatch, handle);
      const nest = await consume(maxBatch, (batch) => strategy.dispatch(batch));
      if (round > 0) pairs.push({ direct, nest });
    }
    const figures = {
      maxBatch,
      direct: median(pairs.map((pair) => pair.direct)),
      nest: median(pairs.map((pair) => pair.nest)),
      ratio: median(pairs.map((pair) => pair.nest / pair.direct)),
    };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  }
} finally {
  await nc.close();
  await app.close();
  nats.kill();
  rmSync(folder, { recursive: true, force: true });
}
