import 'reflect-metadata';
import {
  Module,
  type DynamicModule,
  type INestApplicationContext,
  type OnApplicationBootstrap,
  type Type,
  type ValueProvider,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NatsConnection } from '@nats-io/transport-node';
import { loadConfig } from '@novacron/config/load';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { newId, type HostId, type JobId, type TenantId, type VmId } from '@novacron/contracts/ids';
import type { RegisterHost } from '@novacron/contracts/agents';
import { connectNats } from '@novacron/messaging/connect';
import { createDatabase, type Database, type DatabaseSettings } from '@novacron/postgres/database';
import { migrate } from '@novacron/postgres/migrate';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { TOKENS } from '@novacron/service-kit/inject';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServers } from '@novacron/testkit/servers';
import { HostActions } from '../../src/admission/host-actions.js';
import { HostInvites } from '../../src/admission/host-invites.js';
import { HostController } from '../../src/api/host.controller.js';
import { HostRequests } from '../../src/api/host-requests.js';
import { orchestratorSettings, type OrchestratorConfig } from '../../src/config.js';
import { HostLink } from '../../src/hosts/host-link.js';
import { putImages } from '../../src/hosts/image-catalogue.js';
import { HostsModule } from '../../src/hosts/hosts.module.js';
import { HostSettings } from '../../src/hosts/settings.js';
import { MIGRATIONS } from '../../src/migrations/all.js';
import { HostSnapshot } from '../../src/hosts/snapshot.js';
import { ResyncModule } from '../../src/resync/resync.module.js';
import { WaitingJobs } from '../../src/resync/waiting-jobs.js';
import type { VmRow } from '../../src/vms/row.js';
import { FakeAgent } from './fake-agent.js';

export const FAST = {
  heartbeatMs: 500,
  flushMs: 100,
  resyncMs: 60_000,
  resyncTickMs: 100,
  snapshotMs: 100,
} satisfies HostSettings;
const QUIET = createLogger('test', process.env['NOVACRON_LOG_LEVEL'] === 'debug' ? 'debug' : 'silent');
export const OPERATOR: RequestMeta = {
  tenantId: newId<TenantId>(),
  principal: 'tests',
  roles: ['platform_operator'],
  remainingMs: 30_000,
  consistency: 'strong',
  minPosition: null,
};

/** The default images of the configuration. */
export const CATALOGUE = orchestratorSettings.hosts.images.schema.parse(undefined);

type Admission = Pick<OrchestratorConfig['hosts'], 'admission' | 'approved'>;

/** The orchestrator's rooms for hosts, without jobs. The jobs that it would wake are recorded. */
@Module({
  imports: [HostsModule, ResyncModule],
  providers: [HostActions, HostController, HostInvites, HostRequests],
})
class HostsHarnessModule implements OnApplicationBootstrap {
  constructor(
    private readonly controller: HostController,
    private readonly drain: DrainCoordinator,
  ) {}

  onApplicationBootstrap(): void {
    this.drain.add('consumers', 'host requests', () => this.controller.stop());
    this.controller.start();
  }
}

/** One orchestrator's side of the hosts, over real servers. */
export class Orchestrator {
  readonly woken: JobId[] = [];

  constructor(
    readonly nc: NatsConnection,
    private readonly app: INestApplicationContext,
  ) {
    this.get(WaitingJobs).connect(async (jobs) => void this.woken.push(...jobs));
  }

  get<Provider>(type: Type<Provider>): Provider {
    return this.app.get(type, { strict: false });
  }

  get snapshot(): HostSnapshot {
    return this.get(HostSnapshot);
  }

  get link(): HostLink {
    return this.get(HostLink);
  }

  async stop(): Promise<void> {
    await this.get(DrainCoordinator).run();
    await this.app.close();
    await this.nc.close();
  }
}

/** Real Postgres and NATS, any number of orchestrators and fake agents. */
export class HostsHarness {
  readonly tenantId = newId<TenantId>();
  readonly #agents: FakeAgent[] = [];
  readonly #orchestrators: Orchestrator[] = [];

  private constructor(
    readonly servers: TestServers,
    readonly sys: Database,
    readonly api: Database,
  ) {}

  static async start(options: { ownCluster?: boolean } = {}): Promise<HostsHarness> {
    const servers = await useTestServers({ nats: true, ...options });
    const { postgres } = loadConfig(orchestratorSettings, servers.env('orchestrator'));
    const settings = (role: DatabaseSettings['role'], password: string): DatabaseSettings => ({
      primary: postgres.primary,
      database: postgres.database,
      schema: 'orchestrator',
      role,
      password,
    });
    await migrate(settings('owner', postgres.ownerPassword as string), {
      migrations: MIGRATIONS,
    });
    const databases = [settings('sys', postgres.sysPassword), settings('api', postgres.apiPassword)].map(
      createDatabase,
    );
    await putImages(databases[0] as Database, CATALOGUE);
    return new HostsHarness(servers, databases[0] as Database, databases[1] as Database);
  }

  async orchestrator(
    settings: Partial<HostSettings> = {},
    admission: Partial<Admission> = {},
  ): Promise<Orchestrator> {
    const nc = await connectNats({ ...this.servers.natsLogin('orchestrator'), name: 'orchestrator' });
    const config = { hosts: { admission: 'first', approved: undefined, images: CATALOGUE, ...admission } };
    const values: [ValueProvider['provide'], unknown][] = [
      [TOKENS.config, config],
      [TOKENS.logger, QUIET],
      [TOKENS.nats, nc],
      [TOKENS.systemDatabase, this.sys],
      [TOKENS.tenantDatabase, this.api],
      [DrainCoordinator, new DrainCoordinator(QUIET)],
      [HostSettings, { ...FAST, ...settings }],
    ];
    const kit: DynamicModule = {
      module: class Kit {},
      global: true,
      providers: values.map(([provide, useValue]) => ({ provide, useValue })),
      exports: values.map(([provide]) => provide),
    };
    const root = { module: class Root {}, imports: [kit, HostsHarnessModule] };
    const orchestrator = new Orchestrator(
      nc,
      await NestFactory.createApplicationContext(root, { logger: false }),
    );
    this.#orchestrators.push(orchestrator);
    return orchestrator;
  }

  /** An agent with a NATS user of its own, not registered yet. */
  async agent(about: Partial<RegisterHost> = {}): Promise<FakeAgent> {
    const id = newId<HostId>();
    const { natsUser } = await this.servers.addHost(id);
    const agent = new FakeAgent(
      await connectNats({ ...this.servers.natsLogin(natsUser), name: id }),
      id,
      about,
    );
    this.#agents.push(agent);
    return agent;
  }

  /** Inserts a VM that is allocated on its host. */
  async vm(over: Partial<VmRow> & Pick<VmRow, 'host_id'>): Promise<VmId> {
    const id = over.id ?? newId<VmId>();
    const row = {
      tenant_id: this.tenantId,
      id,
      name: `vm-${id.slice(-12)}`,
      state: 'running',
      desired_state: 'running',
      cpu: 2,
      memory: 2_048,
      disk: 10,
      image: 'ubuntu-22.04',
      zone: 'sim',
      tags: {},
      ssh_keys: [],
      autostart: true,
      task: null,
      conditions: [],
      stop_reason: null,
      last_error: null,
      generation: 1,
      observed_generation: 1,
      incarnation: 1,
      fence: 1,
      quota_held: true,
      fact_epoch: 0,
      fact_seq: 0,
      version: 1,
      created_at: new Date(),
      updated_at: new Date(),
      ...over,
    };
    await this.sys.transaction({}, async (tx) => {
      await tx.query({ text: 'INSERT INTO vms SELECT * FROM json_populate_record(null::vms, $1)' }, [
        JSON.stringify(row),
      ]);
      await tx.query(
        {
          text: `UPDATE hosts SET vm_count = vm_count + 1, allocated_cpu = allocated_cpu + 2,
                   allocated_memory = allocated_memory + 2048, allocated_disk = allocated_disk + 10 WHERE id = $1`,
        },
        [over.host_id],
      );
    });
    return id;
  }

  async vmRow(id: VmId): Promise<VmRow> {
    return (
      await this.rows<VmRow & Record<string, unknown>>('SELECT * FROM vms WHERE id = $1', [id])
    )[0] as VmRow;
  }

  async rows<T extends Record<string, unknown>>(text: string, params: unknown[] = []): Promise<T[]> {
    return (await this.sys.primary.query<T>({ text }, params)).rows;
  }

  async hostState(id: HostId): Promise<string | undefined> {
    return (await this.rows<{ state: string }>('SELECT state FROM hosts WHERE id = $1', [id]))[0]?.state;
  }

  /** Its last heartbeat in the database. */
  async lastHeartbeat(id: HostId): Promise<Date> {
    return (await this.rows<{ at: Date }>('SELECT at FROM heartbeats WHERE host_id = $1', [id]))[0]
      ?.at as Date;
  }

  /** Versions and types of the events of one resource, oldest first. */
  async events(
    resourceId: string,
  ): Promise<{ type: string; version: number; data: Record<string, unknown> }[]> {
    return this.rows(
      `SELECT type, version, data FROM outbox_pending WHERE resource_id = $1 ORDER BY version`,
      [resourceId],
    );
  }

  async stop(): Promise<void> {
    for (const agent of this.#agents) await agent.stop();
    for (const orchestrator of this.#orchestrators) await orchestrator.stop();
    await Promise.all([this.sys.close(), this.api.close()]);
    await this.servers.stop();
  }
}
