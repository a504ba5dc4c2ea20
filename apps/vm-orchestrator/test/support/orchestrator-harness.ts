import type { Type } from '@nestjs/common';
import { newId, type TenantId, type VmId } from '@novacron/contracts/ids';
import type { Capability } from '@novacron/contracts/infrastructure';
import type { RequestMeta } from '@novacron/contracts/envelope';
import type { CreateVm, Vm } from '@novacron/contracts/vms';
import { startService, type RunningService } from '@novacron/service-kit/run';
import { createLogger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServerOptions, type TestServers } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import pg from 'pg';
import { VmActor } from '../../src/admission/act.js';
import { VmCreator } from '../../src/admission/create.js';
import { orchestrator } from '../../src/app.module.js';
import { HostSnapshot } from '../../src/hosts/snapshot.js';
import type { VmRow } from '../../src/vms/row.js';
import { FakeHost } from './fake-host.js';

type Service = RunningService;

export interface Capacity {
  cpu: number;
  memory: number;
  disk: number;
}

const CAPABILITIES: readonly Capability[] = ['pause', 'reboot', 'reset', 'console-log'];
const ROOMY: Capacity = { cpu: 10_000, memory: 40_960_000, disk: 500_000 };

/** An orchestrator on real servers with fake hosts, for the tests of this package. */
export class OrchestratorHarness {
  readonly tenantId = newId<TenantId>();
  readonly hosts: FakeHost[] = [];

  private constructor(
    readonly servers: TestServers,
    readonly admin: pg.Pool,
    public service: Service,
  ) {}

  static async start(
    options: { hosts?: number; env?: Record<string, string>; servers?: TestServerOptions } = {},
  ) {
    const servers = await useTestServers({ nats: true, ...options.servers });
    const service = await OrchestratorHarness.serve(servers, options.env);
    const admin = new pg.Pool({ connectionString: servers.adminUrl(), max: 2 });
    admin.on('error', () => undefined);
    const harness = new OrchestratorHarness(servers, admin, service);
    for (let i = 0; i < (options.hosts ?? 1); i++) await harness.addHost();
    return harness;
  }

  static serve(servers: TestServers, env: Record<string, string> = {}): Promise<Service> {
    const logger = createLogger(
      'orchestrator',
      (process.env['NOVACRON_TEST_LOG'] as 'info' | undefined) ?? 'silent',
    );
    return startService(orchestrator, {
      env: {
        ...servers.env('orchestrator'),
        NOVACRON_OPS_PORT: '0',
        NOVACRON_COMMAND_TIMEOUT_MS: '2500',
        ...env,
      },
      logger,
    });
  }

  /** A provider of the running orchestrator. */
  get<Provider>(type: Type<Provider>): Provider {
    return this.service.app.get(type, { strict: false });
  }

  get creator(): VmCreator {
    return this.get(VmCreator);
  }

  get actor(): VmActor {
    return this.get(VmActor);
  }

  get snapshot(): HostSnapshot {
    return this.get(HostSnapshot);
  }

  /** A host that is up in zone `sim`, by default with capacity for every VM, and with `more` capabilities. */
  async addHost(capacity: Capacity = ROOMY, more: readonly Capability[] = []): Promise<FakeHost> {
    const host = await FakeHost.start(this.servers);
    this.hosts.push(host);
    await this.admin.query(
      `INSERT INTO orchestrator.hosts (id, name, zone, driver, state, capabilities, images, cpu, memory, disk, epoch,
         created_at, updated_at)
       VALUES ($1, $2, 'sim', 'scripted', 'up', $6, '{ubuntu-22.04}', $3, $4, $5, 1, now(), now())`,
      [host.id, `h-${host.id}`, capacity.cpu, capacity.memory, capacity.disk, [...CAPABILITIES, ...more]],
    );
    // It answers, and always counts as reachable: heartbeats are tested elsewhere.
    await this.admin.query(
      `INSERT INTO orchestrator.heartbeats (host_id, at) VALUES ($1, now() + interval '1 day')`,
      [host.id],
    );
    await this.snapshot.refresh();
    return host;
  }

  get host(): FakeHost {
    return this.hosts[0] as FakeHost;
  }

  meta(changes: Partial<RequestMeta> = {}): RequestMeta {
    return {
      tenantId: this.tenantId,
      principal: 'tester',
      roles: ['owner'],
      remainingMs: 30_000,
      consistency: 'causal',
      minPosition: null,
      ...changes,
    };
  }

  create(name: string, changes: Partial<CreateVm> = {}, meta: Partial<RequestMeta> = {}): Promise<Vm> {
    return this.creator.create(this.meta(meta), spec(name, changes)).then((reply) => reply.body);
  }

  act(id: VmId, action: Parameters<VmActor['act']>[1]['action'], graceSeconds = 1) {
    return this.actor.act(this.meta(), { id, action, options: { graceSeconds } });
  }

  /** Creates a VM and waits until it runs. */
  async running(name: string): Promise<VmRow> {
    return this.until((await this.create(name)).id, (vm) => vm.state === 'running');
  }

  async row(id: VmId): Promise<VmRow> {
    const { rows } = await this.admin.query<VmRow>('SELECT * FROM orchestrator.vms WHERE id = $1', [id]);
    return rows[0] as VmRow;
  }

  /** The row once it fulfils the condition. @throws when that takes too long, with the last state */
  async until(id: VmId, wanted: (vm: VmRow) => boolean, timeoutMs = 45_000): Promise<VmRow> {
    let vm = await this.row(id);
    const state = () => `the VM is ${vm.state}, ${JSON.stringify({ task: vm.task, error: vm.last_error })}`;
    await until(async () => wanted((vm = await this.row(id))), timeoutMs, state);
    return vm;
  }

  async one<T extends pg.QueryResultRow>(sql: string, params: unknown[] = []): Promise<T> {
    return (await this.admin.query<T>(sql, params)).rows[0] as T;
  }

  /** The allocated VMs of all hosts, and the VMs of the tenant's quota. */
  async allocated(): Promise<{ hosts: number; quota: number }> {
    const hosts = await this.one<{ n: number }>('SELECT sum(vm_count)::int AS n FROM orchestrator.hosts');
    const quota = await this.one<{ n: number }>(
      'SELECT coalesce(sum(used_vms), 0)::int AS n FROM orchestrator.quotas WHERE tenant_id = $1',
      [this.tenantId],
    );
    return { hosts: hosts.n, quota: quota.n };
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await Promise.all(this.hosts.map((host) => host.stop()));
    await this.admin.end();
    await this.servers.stop();
  }
}

export function spec(name: string, changes: Partial<CreateVm> = {}): CreateVm {
  return {
    name,
    config: { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' },
    tags: {},
    sshKeys: [],
    autostart: true,
    ...changes,
  };
}
