import { counter, gauge, histogram } from '@novacron/telemetry/metrics';
import type { Database } from '@novacron/postgres/database';
import type { MetricNames } from '../store/metric-names.js';
import type { Partitions } from '../store/partitions.js';
import { SeriesBuffer } from '../store/series-buffer.js';
import { writePoints, type Advance } from '../store/write.js';
import { admit, GATEWAY } from './admit.js';
import type { Directory, VmEntry } from './directory.js';
import { decode, type Incoming, type IntakeMessage } from './incoming.js';
import type { StoredPosition } from './leases.js';
import { Rejections } from './rejections.js';

const stored = counter('novacron_metrics_stored_points_total', 'Points that the intake stored');
const messagesStored = counter('novacron_metrics_stored_messages_total', 'Messages whose points are stored');
const writeSeconds = histogram(
  'novacron_metrics_write_duration_seconds',
  'From taking the messages of a write to its commit',
  [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
);
const lag = gauge(
  'novacron_metrics_intake_lag_seconds',
  'From JetStream storing the last message written to its commit',
);

export interface WriterParts {
  readonly db: Database;
  readonly directory: Directory;
  readonly names: MetricNames;
  readonly partitions: Partitions;
}

/**
 * Turns messages into one transaction: points and positions together. It keeps the positions of this process'
 * partitions as Postgres has them; after any error they are read again.
 */
export class Writer {
  readonly #positions = new Map<number, StoredPosition>();

  constructor(private readonly parts: WriterParts) {}

  /** From here on this partition's messages are written behind this position. */
  own(position: StoredPosition): void {
    this.#positions.set(position.partition, position);
  }

  disown(partition: number): void {
    this.#positions.delete(partition);
  }

  /**
   * Stores the points of the messages and acknowledges them.
   * @throws PositionMoved when a partition is not ours any more, DirectoryUnavailable when the same messages
   *   are to be tried again, and what Postgres throws; nothing is stored then, or (connection lost in COMMIT)
   *   nothing is known
   */
  async write(messages: readonly IntakeMessage[]): Promise<void> {
    const started = performance.now();
    const owned = messages.filter(({ partition }) => this.#positions.has(partition));
    if (owned.length === 0) return;
    const incoming = owned.map(decode);
    const vms = await this.parts.directory.lookup(claims(incoming));
    await this.parts.names.learn(namesIn(incoming, vms));
    const rejections = new Rejections();
    const buffer = new SeriesBuffer();
    const known = {
      vms,
      metricId: (tenantId: string, name: string) => this.parts.names.idOf(tenantId, name),
      ...this.parts.partitions.window(),
    };
    for (const one of incoming) admit(one, known, buffer, rejections);
    const series = buffer.sorted();
    await this.parts.partitions.ensureFor(series);
    const last = lastOfEach(owned);
    const advances = last.map((message) => this.#advance(message));
    await writePoints(this.parts.db, advances, series);
    for (const [i, message] of last.entries()) {
      this.#moveTo(advances[i] as Advance);
      message.ack();
    }
    stored.add(buffer.points);
    messagesStored.add(owned.length);
    rejections.publish();
    writeSeconds.record((performance.now() - started) / 1_000);
    lag.set(Math.max(0, Date.now() - (owned.at(-1) as IntakeMessage).storedAt) / 1_000);
  }

  #advance({ partition, seq, storedAt }: IntakeMessage): Advance {
    const { fence, generation, seq: from } = this.#positions.get(partition) as StoredPosition;
    return { partition, fence, generation, from, to: seq, messageAt: storedAt };
  }

  #moveTo({ partition, to, messageAt }: Advance): void {
    const position = this.#positions.get(partition);
    if (position) this.#positions.set(partition, { ...position, seq: to, messageAt });
  }
}

/** Who says of each VM that it runs on it; of two hosts that say so the last one asked for. */
function claims(incoming: readonly Incoming[]): Map<string, string | null> {
  const all = new Map<string, string | null>();
  for (const { message, batch } of incoming) {
    const host = message.source === GATEWAY ? null : message.source;
    for (const vmId of batch?.vmIds ?? []) all.set(vmId, host ?? all.get(vmId) ?? null);
  }
  return all;
}

/** Names that points may be stored under, each with the tenant whose VM it is about. */
function* namesIn(
  incoming: readonly Incoming[],
  vms: ReadonlyMap<string, VmEntry>,
): Generator<[string, string]> {
  for (const { message, batch } of incoming) {
    if (!batch) continue;
    const tenants = new Set<string>();
    for (const vmId of batch.vmIds) {
      const vm = vms.get(vmId);
      const writable =
        vm &&
        (message.source === GATEWAY
          ? !batch.tenantId || batch.tenantId === vm.tenantId
          : vm.hostId === message.source);
      if (writable) tenants.add(vm.tenantId);
    }
    for (const tenantId of tenants) for (const name of batch.metrics) yield [tenantId, name];
  }
}

function lastOfEach(messages: readonly IntakeMessage[]): IntakeMessage[] {
  return [...new Map(messages.map((message) => [message.partition, message])).values()].sort(
    (a, b) => a.partition - b.partition,
  );
}
