/*
 * What a request costs in CPU, caller and service together in one process: through Nest's ClientProxy, and by the same
 * code called directly. The service answers at once, so real requests differ by less. Build first, then:
 *
 *     node packages/messaging/test/bench/request-pair.ts [rounds] [requests]
 *
 * Prints a line of JSON: microseconds of CPU for each request (medians of the rounds) and the ratio of the two.
 */
import { connect } from '@nats-io/transport-node';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern } from '@nestjs/microservices';
import { defineRpc, ENVELOPE_VERSION, RequestMeta } from '@novacron/contracts/envelope';
import { createLogger } from '@novacron/telemetry/logger';
import { spawn } from 'node:child_process';
import 'reflect-metadata';
import { z } from 'zod';
import { requestRaw } from '../../dist/request.js';
import { RpcClient } from '../../dist/rpc-client.js';
import { RpcServer } from '../../dist/rpc-server.js';
import { encodeJson, replyOrThrow } from '../../dist/wire.js';

const [rounds = 15, requests = 20_000] = process.argv.slice(2).map(Number);
const IN_FLIGHT = 50;
const PORT = 14_222 + (process.pid % 10_000);

const contract = defineRpc('rpc.server.echo.get', z.object({ text: z.string() }), z.unknown(), 'bounded');
const meta = RequestMeta.parse({
  tenantId: '0190a000-0000-7000-8000-000000000001',
  principal: 'bench',
  roles: ['owner'],
  remainingMs: 30_000,
  consistency: 'causal',
  minPosition: null,
});
const body = { text: 'x'.repeat(500) };

class EchoController {
  echo(request: { body: unknown }): Promise<object> {
    return Promise.resolve({ body: request.body, position: null });
  }
}
Controller()(EchoController);
const method = Object.getOwnPropertyDescriptor(EchoController.prototype, 'echo') as PropertyDescriptor;
MessagePattern(contract.subject, { contract })(EchoController.prototype, 'echo', method);
class EchoModule {}
Module({ controllers: [EchoController] })(EchoModule);

async function batch(send: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  let left = requests;
  const loop = async (): Promise<void> => {
    while (left-- > 0) await send();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / requests;
}

const median = (values: number[]): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;

const nats = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(PORT)], { stdio: 'ignore' });
try {
  const options = { servers: `127.0.0.1:${PORT}`, waitOnFirstConnect: true, reconnectTimeWait: 100 };
  const [server, caller] = [await connect(options), await connect(options)];
  const logger = createLogger('bench', 'silent');
  const strategy = new RpcServer({ nc: server, service: 'server', logger });
  const app = await NestFactory.createMicroservice(EchoModule, { strategy, logger: false });
  await app.listen();
  await server.flush();

  const client = new RpcClient(caller);
  const proxied = () => client.request(contract, meta, body);
  const direct = async () => {
    const payload = encodeJson({ v: ENVELOPE_VERSION, ...meta, body });
    return replyOrThrow(await requestRaw(caller, contract.subject, payload, 30_000, contract.subject));
  };
  await batch(direct);
  await batch(proxied);
  const pairs: { direct: number; proxied: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const first = round % 2 === 0 ? await batch(direct) : await batch(proxied);
    const second = round % 2 === 0 ? await batch(proxied) : await batch(direct);
    pairs.push(round % 2 === 0 ? { direct: first, proxied: second } : { direct: second, proxied: first });
  }
  const figures = {
    direct: median(pairs.map((pair) => pair.direct)),
    proxied: median(pairs.map((pair) => pair.proxied)),
    ratio: median(pairs.map((pair) => pair.proxied / pair.direct)),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  await app.close();
  await caller.close();
  await server.close();
} finally {
  nats.kill();
}
