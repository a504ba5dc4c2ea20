/*
 * The baseline's service: a Nest microservice on NATS whose list is TypeORM's `find`. Only what the API shows is
 * selected, and what a VM allows is written down: no less work than any program that answers this.
 */
import 'reflect-metadata';
import { once } from 'node:events';
import { Controller, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { DataSource, Not } from 'typeorm';
import type { BaselineSettings } from './baseline-settings.js';
import { VmEntity } from './default-vm.entity.js';

const ALLOWED = [
  'stop',
  'force-stop',
  'reboot',
  'reset',
  'pause',
  'suspend',
  'resize',
  'migrate',
  'rebuild',
  'delete',
];

function resource({ cpu, memory, disk, image, version, ...rest }: VmEntity) {
  return { ...rest, config: { cpu, memory, disk, image }, version: Number(version), allowedActions: ALLOWED };
}

@Controller()
class VmsController {
  constructor(@Inject(DataSource) private readonly db: DataSource) {}

  @MessagePattern('baseline.vms.list')
  async list(@Payload() { tenantId }: { tenantId: string }) {
    const found = await this.db.getRepository(VmEntity).find({
      where: { tenantId, state: Not('deleted') },
      order: { createdAt: 'DESC', id: 'DESC' },
      take: 50,
    });
    return { items: found.map(resource), nextCursor: found.at(-1)?.id ?? null };
  }
}

@Module({ controllers: [VmsController] })
class AppModule {}

const [settings] = (await once(process, 'message')) as [BaselineSettings];
const db = await new DataSource({
  type: 'postgres',
  ...settings.postgres,
  entities: [VmEntity],
  poolSize: 25,
  installExtensions: false,
}).initialize();
const app = await NestFactory.createMicroservice(
  { module: AppModule, providers: [{ provide: DataSource, useValue: db }] },
  { transport: Transport.NATS, options: settings.nats, logger: false },
);
await app.listen();
process.send?.({ port: 0 });
