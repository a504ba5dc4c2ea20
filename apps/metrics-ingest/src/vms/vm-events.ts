import type { NatsConnection } from '@nats-io/transport-node';
import { Injectable } from '@nestjs/common';
import { DomainEvent } from '@novacron/contracts/events';
import { parsePosition } from '@novacron/contracts/position';
import { Vm } from '@novacron/contracts/vms';
import { DurableConsumer } from '@novacron/messaging/consumer';
import { EVENTS } from '@novacron/messaging/streams';
import type { Database, Statement } from '@novacron/postgres/database';
import { isPartOf, type Lineage } from '@novacron/postgres/lineage';
import { Nats, ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';

const UPSERT: Statement = {
  name: 'metrics_vms_upsert',
  text: `INSERT INTO metrics.vms AS v (tenant_id, vm_id, host_id, version, deleted_at)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::bigint[])
         ON CONFLICT (tenant_id, vm_id) DO UPDATE
         SET version = excluded.version, deleted_at = excluded.deleted_at,
             host_id = CASE WHEN excluded.deleted_at IS NULL THEN excluded.host_id ELSE coalesce(excluded.host_id, v.host_id) END
         WHERE v.version < excluded.version`,
};

/** The fields of a VM that the directory keeps. */
const Placed = Vm.pick({
  id: true,
  tenantId: true,
  hostId: true,
  state: true,
  version: true,
  updatedAt: true,
});

type PlacedVm = ReturnType<typeof Placed.parse>;

/** Keeps the directory current by the orchestrator's VM events, while this process is the one that reads them. */
@Injectable()
export class VmEvents {
  #consumer: DurableConsumer | undefined;
  #stopping: Promise<void> = Promise.resolve();

  constructor(
    @Nats() private readonly nc: NatsConnection,
    @SystemDatabase() private readonly db: Database,
    @ServiceLogger() private readonly logger: Logger,
  ) {}

  /** Starts or stops reading. One process at a time may read: the consumer's order depends on it. */
  read(wanted: boolean): void {
    if (wanted) return this.#start();
    const consumer = this.#consumer;
    this.#consumer = undefined;
    if (consumer) this.#stopping = Promise.all([this.#stopping, consumer.stop()]).then(() => undefined);
  }

  async stop(): Promise<void> {
    this.read(false);
    await this.#stopping;
  }

  #start(): void {
    if (this.#consumer) return;
    const { nc, logger } = this;
    this.#consumer = new DurableConsumer({
      nc,
      stream: EVENTS,
      durable: 'metrics-vms',
      filterSubject: 'events.*.vm.*',
      handle: (batch) => this.#apply(batch),
      maxBatch: 256,
      maxAckPending: 1_024,
      logger,
    });
    this.#consumer.start();
  }

  /**
   * Repeated or reordered events change nothing: the higher version stays. An event that does not fit the contract is
   * logged and skipped. So is an event of a lost timeline: its version would shadow newer events.
   */
  async #apply(batch: readonly { readonly data: Uint8Array }[]): Promise<void> {
    const { db, logger } = this;
    if (db.lineage === undefined) await db.ping();
    const newest = new Map<string, PlacedVm>();
    for (const { data } of batch) {
      const vm = parse(data, db.lineage, logger);
      if (vm) newest.set(vm.id, merged(newest.get(vm.id), vm));
    }
    const vms = [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    if (vms.length === 0) return;
    const params = [
      vms.map((vm) => vm.tenantId),
      vms.map((vm) => vm.id),
      vms.map((vm) => vm.hostId),
      vms.map((vm) => vm.version),
      vms.map((vm) => (vm.state === 'deleted' ? Date.parse(vm.updatedAt) : null)),
    ];
    await db.primary.batch({}, [{ statement: UPSERT, params }]);
  }
}

/** The newer of two states of a VM. A deleted VM keeps its last host, so that late points are still accepted. */
function merged(before: PlacedVm | undefined, vm: PlacedVm): PlacedVm {
  if (!before) return vm;
  const [older, newer] = before.version < vm.version ? [before, vm] : [vm, before];
  return newer.state === 'deleted' ? { ...newer, hostId: newer.hostId ?? older.hostId } : newer;
}

function parse(data: Uint8Array, history: Lineage | undefined, logger: Logger): PlacedVm | undefined {
  try {
    const event = DomainEvent.parse(JSON.parse(new TextDecoder().decode(data)));
    const lost = history !== undefined && !isPartOf(parsePosition(event.position), history);
    return event.kind === 'vm' && !lost ? Placed.parse(event.data) : undefined;
  } catch (error) {
    logger.error({ err: error }, 'VM event parse failed');
    return undefined;
  }
}
