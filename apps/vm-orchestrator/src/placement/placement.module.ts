import { Module } from '@nestjs/common';
import { HostsModule } from '../hosts/hosts.module.js';
import { Placer } from './placer.js';

@Module({ imports: [HostsModule], providers: [Placer], exports: [Placer] })
export class PlacementModule {}
