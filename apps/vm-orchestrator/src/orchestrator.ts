import { Module, type DynamicModule } from '@nestjs/common';
import type { Config } from '@novacron/config/load';
import type { ServiceContext } from '@novacron/service-kit/context';
import type { ServiceSpec } from '@novacron/service-kit/run';
import { Backlog } from './maintenance/backlog.js';
import { orchestratorSettings } from './config.js';
import { Core } from './core.js';
import { HostsModule } from './hosts/hosts.module.js';
import { JobsController } from './api/jobs.controller.js';
import { Maintenance } from './maintenance/purge.js';
import { exportMetrics } from './metrics.js';
import { MIGRATIONS } from './migrations/all.js';
import { QuotasController } from './api/quotas.controller.js';
import { VmsController } from './api/vms.controller.js';

type Settings = typeof orchestratorSettings;

@Module({})
class OrchestratorModule {
  static from(core: Core): DynamicModule {
    return {
      module: OrchestratorModule,
      imports: [HostsModule.from(core.hostsSide)],
      controllers: [VmsController, JobsController, QuotasController],
      providers: [{ provide: Core, useValue: core }],
    };
  }
}

const cores = new WeakMap<ServiceContext, Core>();

/** The core of a running service. */
export function coreOf(context: ServiceContext<Config<Settings>>): Core {
  let core = cores.get(context);
  if (!core) {
    core = new Core(context);
    cores.set(context, core);
  }
  return core;
}

/** The vm-orchestrator, for `main.ts` and for tests that run it within their process. */
export const orchestrator: ServiceSpec<Settings> = {
  name: 'orchestrator',
  settings: orchestratorSettings,
  postgres: { schema: 'orchestrator', migrations: MIGRATIONS },
  streams: ['EVENTS'],
  module: (context) => OrchestratorModule.from(coreOf(context)),
  beforeListen: (context) => coreOf(context).load(),
  async onStart(context) {
    const core = coreOf(context);
    const maintenance = new Maintenance(context.sys, context.logger);
    const backlog = new Backlog(context.sys, context.logger);
    context.drain.add('nats', 'relay', () => core.relay.stop());
    context.drain.add('consumers', 'jobs', () => core.drain());
    // Requests are answered until NATS is drained: what they committed for this process is given to the next.
    context.drain.add('telemetry', 'late jobs', () => core.worker.drain());
    context.drain.add('consumers', 'maintenance', () => maintenance.stop());
    context.drain.add('consumers', 'backlog', () => backlog.stop());
    await core.start();
    maintenance.start();
    backlog.start();
    exportMetrics(core);
  },
};
