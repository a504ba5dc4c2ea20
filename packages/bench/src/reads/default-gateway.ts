/* The baseline's gateway: a Nest controller on Fastify that asks over Nest's NATS client. No authentication. */
import 'reflect-metadata';
import { once } from 'node:events';
import { Controller, Get, Inject, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ClientProxy, ClientsModule, Transport } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { BaselineSettings } from './baseline-settings.js';

@Controller('api/v1/vms')
class VmsController {
  constructor(@Inject('SERVICE') private readonly service: ClientProxy) {}

  @Get()
  list(@Query('tenantId') tenantId: string) {
    return this.service.send('baseline.vms.list', { tenantId });
  }
}

@Module({})
class AppModule {}

const [settings] = (await once(process, 'message')) as [BaselineSettings];
const clients = ClientsModule.register([
  { name: 'SERVICE', transport: Transport.NATS, options: settings.nats },
]);
const app = await NestFactory.create<NestFastifyApplication>(
  { module: AppModule, imports: [clients], controllers: [VmsController] },
  new FastifyAdapter(),
  { logger: false },
);
await app.listen(0, '127.0.0.1');
const { port } = app.getHttpServer().address() as { port: number };
process.send?.({ port });
