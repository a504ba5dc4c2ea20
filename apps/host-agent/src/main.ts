import { Module } from '@nestjs/common';
import { runService } from '@novacron/service-kit/run';
import { settings } from './config.js';
import { startHostAgents } from './host-agents.js';

/** The agent speaks NATS as each of its hosts, and answers nobody else: Nest only starts and stops it. */
@Module({})
class HostAgentModule {}

await runService({
  name: 'host-agent',
  settings,
  module: () => HostAgentModule,
  onStart: startHostAgents,
});
