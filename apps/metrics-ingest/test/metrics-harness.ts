import { NestFactory } from '@nestjs/core';
import { jetstream, type JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  METRIC_PARTITIONS,
  metricPartition,
  metricSubject,
  type MetricBatch,
} from '@novacron/contracts/metrics';
import { newId, type TenantId, type VmId } from '@novacron/contracts/ids';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { connectNats } from '@novacron/messaging/connect';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { rootModule } from '@novacron/service-kit/kit-module';
import { Readiness } from '@novacron/service-kit/readiness';
import { createDatabase, type Database } from '@novacron/postgres/database';
import { migrate } from '@novacron/postgres/migrate';
import { createLogger, type Logger } from '@novacron/telemetry/logger';
import { useTestServers, type TestServerOptions } from '@novacron/testkit/servers';
import { until } from '@novacron/testkit/wait';
import { loadConfig } from '@novacron/config/load';
import { settings } from '../src/config.js';
import { IntakeModule } from '../src/intake/intake.module.js';
import { Ingester } from '../src/intake/ingester.js';
import { migrations } from '../src/migrations/all.js';
import { SeriesReader } from '../src/query/series-reader.js';

type Servers = Awaited<ReturnType<typeof useTestServers>>;

/** The part of the service that works without requests, as a process runs it. */
export interface IngestProcess {
  readonly ingester: Ingester;
  stop(): Promise<void>;
}

/** Real servers with the metrics schema, and methods to use them. */
export class MetricsHarness {
  readonly logger: Logger = createLogger('test', 'silent');
  readonly #running: IngestProcess[] = [];

  private constructor(
    readonly servers: Servers,
    readonly sys: Database,
    readonly api: Database,
    readonly admin: NatsConnection,
    readonly js: JetStreamClient,
  ) {}

  static async open(options: TestServerOptions = {}): Promise<MetricsHarness> {
    const servers = await useTestServers({ nats: true, ...options });
    const { postgres } = loadConfig(settings, servers.env('metrics'));
    const base = { ...postgres, schema: 'metrics' };
    await migrate({ ...base, role: 'owner', password: postgres.ownerPassword ?? '' }, { migrations });
    const sys = createDatabase({ ...base, role: 'sys', password: postgres.sysPassword, max: 4 });
    const api = createDatabase({ ...base, role: 'api', password: postgres.apiPassword, max: 4 });
    const admin = await connectNats({ ...servers.natsLogin('admin'), name: 'test' });
    return new MetricsHarness(servers, sys, api, admin, jetstream(admin));
  }

  /** Starts a process of the service, without its request/reply. @param sys instead of a pool of its own */
  async ingest(sys?: Database): Promise<IngestProcess> {
    const env = { ...this.servers.env('metrics'), NOVACRON_METRICS_FUTURE_MINUTES: '60' };
    const config = loadConfig(settings, env);
    const { postgres } = config;
    const own = createDatabase({
      ...postgres,
      schema: 'metrics',
      role: 'sys',
      password: postgres.sysPassword,
      max: 4,
    });
    const nc = await connectNats({ ...this.servers.natsLogin('metrics'), name: 'ingest' });
    const { logger } = this;
    const databases = { api: this.api, sys: sys ?? own };
    const drain = new DrainCoordinator(logger);
    const readiness = new Readiness();
    const kit = { name: 'metrics', config, logger, drain, readiness, nc, databases };
    const app = await NestFactory.createApplicationContext(rootModule(kit, IntakeModule), {
      logger: false,
      abortOnError: false,
    });
    let stopped: Promise<void> | undefined;
    const close = async () => {
      await app.close();
      await nc.close();
      await own.close();
    };
    const process = { ingester: app.get(Ingester), stop: () => (stopped ??= close()) };
    this.#running.push(process);
    return process;
  }

  reader(): SeriesReader {
    return new SeriesReader(this.api, { owns: () => Promise.resolve(false) });
  }

  /** Adds a VM to the directory, as its event would. */
  async place(vm: TestVm): Promise<TestVm> {
    await this.sys.primary.batch({}, [
      {
        statement: {
          text: 'INSERT INTO metrics.vms (tenant_id, vm_id, host_id, version) VALUES ($1, $2, $3, 1)',
        },
        params: [vm.tenantId, vm.vmId, vm.hostId],
      },
    ]);
    return vm;
  }

  /** Publishes as the VM's host, and waits until JetStream has stored the message. */
  async publish(vm: TestVm, metric: string, points: readonly Point[], source = vm.hostId): Promise<number> {
    const subject = metricSubject(metricPartition(vm.vmId), source);
    const { seq } = await this.js.publish(subject, JSON.stringify(batchOf(vm, metric, points, source)));
    return seq;
  }

  /** Publishes any batch as the VM's host, `off` partitions beside the VM's own. */
  async publishRaw(vm: TestVm, batch: MetricBatch, off = 0): Promise<void> {
    const partition = (metricPartition(vm.vmId) + off) % METRIC_PARTITIONS;
    await this.js.publish(metricSubject(partition, vm.hostId), JSON.stringify(batch));
  }

  /** Resolves when every message published so far is stored in Postgres. */
  async settled(timeoutMs = 40_000): Promise<void> {
    const last = await this.lastOfEach();
    let rows: { partition: number; seq: number }[] = [];
    const isStored = async () => {
      ({ rows } = await this.sys.primary.query<{ partition: number; seq: number }>({
        text: 'SELECT partition, seq::float8 AS seq FROM metrics.intake',
      }));
      return rows.every(({ partition, seq }) => seq >= (last[partition] ?? 0));
    };
    await until(isStored, timeoutMs, () => JSON.stringify({ last, rows }));
  }

  /** The last sequence of each partition. Read once, since the server scans the stream for it. */
  private async lastOfEach(): Promise<number[]> {
    const manager = await this.js.jetstreamManager();
    const messages = Array.from({ length: METRIC_PARTITIONS }, (_, p) =>
      manager.streams.getMessage('METRICS', { last_by_subj: `metrics.ingest.${p}.*` }),
    );
    return (await Promise.all(messages)).map((message) => message?.seq ?? 0);
  }

  async count(): Promise<number> {
    const { rows } = await this.sys.primary.query<{ n: number }>({
      text: 'SELECT count(*)::int AS n FROM metrics.points',
    });
    return rows[0]?.n ?? 0;
  }

  async stopIngesters(): Promise<void> {
    for (const process of this.#running.splice(0)) await process.stop();
  }

  async close(): Promise<void> {
    await this.stopIngesters();
    await this.admin.close();
    await Promise.all([this.sys.close(), this.api.close()]);
    await this.servers.stop();
  }
}

export type Point = readonly [time: number, value: number];

export interface TestVm {
  readonly tenantId: string;
  readonly vmId: string;
  readonly hostId: string;
}

export function newVm(tenantId: string = newId(), hostId: string = newId()): TestVm {
  return { tenantId, vmId: newId(), hostId };
}

export function batchOf(
  vm: TestVm,
  metric: string,
  points: readonly Point[],
  source = vm.hostId,
): MetricBatch {
  return {
    v: 1,
    tenantId: source === 'gateway' ? (vm.tenantId as TenantId) : null,
    vmIds: [vm.vmId as VmId],
    metrics: [metric],
    vm: points.map(() => 0),
    metric: points.map(() => 0),
    time: points.map(([time]) => time),
    value: points.map(([, value]) => value),
  };
}

/** A request of the VM's tenant. */
export function metaOf(vm: TestVm): RequestMeta {
  return {
    tenantId: vm.tenantId as RequestMeta['tenantId'],
    principal: 'test',
    roles: ['viewer'],
    remainingMs: 30_000,
    consistency: 'strong',
    minPosition: null,
  };
}
