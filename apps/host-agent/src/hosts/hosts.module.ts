import { Module } from '@nestjs/common';
import { HostAgents } from './host-agents.js';

/** The hosts of this process, one agent each. */
@Module({ providers: [HostAgents] })
export class HostsModule {}
