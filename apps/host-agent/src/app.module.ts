import { Module } from '@nestjs/common';
import type { ServiceSpec } from '@novacron/service-kit/run';
import { settings } from './config.js';
import { HostsModule } from './hosts/hosts.module.js';

@Module({ imports: [HostsModule] })
export class AppModule {}

/** host-agent: connects to NATS as each of its hosts, so the kit opens no connection of the process. */
export const service: ServiceSpec<typeof settings> = { name: 'host-agent', settings, module: AppModule };
