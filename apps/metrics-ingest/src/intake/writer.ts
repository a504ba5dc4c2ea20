import { Injectable } from '@nestjs/common';
import { counter, histogram } from '@novacron/telemetry/metrics';
import type { Database } from '@novacron/postgres/database';
import { SystemDatabase } from '@novacron/service-kit/inject';
import { MetricNames } from '../store/metric-names.js';
import { Partitions } from '../store/partitions.js';
import { SeriesBuffer } from '../store/series-buffer.js';
import { writePoints, type Advance, type Write } from '../store/write.js';
import { admit, GATEWAY } from './admit.js';
import { Directory, type VmEntry } from '../vms/directory.js';
import { Announcer } from './announcer.js';
import { decode, type Incoming, type IntakeMessage } from './incoming.js';
import type { StoredPosition } from './leases.js';
import { partsByNames, type Part } from './names-wanted.js';
import { Rejections } from './rejections.js';

const stored = counter('novacron_metrics_stored_points_total', 'Points that the intake stored');
const messagesStored = counter('novacron_metrics_stored_messages_total', 'Messages whose points are stored');
const writeSeconds = histogram(
  'novacron_metrics_write_duration_seconds',
  'From taking the messages of a write to its commit',
  [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
);

/** The result of the messages of one transaction. */
interface Outcome extends Pick<Write, 'series' | 'deadLetter'> {
  readonly rejections: Rejections;
}

/**
 * Turns messages into transactions of points and positions. It keeps the stream positions of this process's partitions
 * equal to those in Postgres. They are read again after an error that ends the run. A write that failed for its content
 * or size continues with them, since its transaction changed nothing.
 */
@Injectable()
export class Writer {
  readonly #positions = new Map<number, StoredPosition>();

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly directory: Directory,
    private readonly names: MetricNames,
    private readonly partitions: Partitions,
    private readonly announcer: Announcer,
  ) {}

  /** From now on this partition's messages behind this position are written. */
  own(position: StoredPosition): void {
    this.#positions.set(position.partition, position);
  }

  positionOf(partition: number): StoredPosition | undefined {
    return this.#positions.get(partition);
  }

  disown(partition: number): void {
    this.#positions.delete(partition);
  }

  /**
   * Stores the points of messages in the stream's order, and acknowledges them. All partitions advance to the last
   * message, since the messages between belong to other processes. Messages with many new metric names are stored in
   * several transactions, one after the other. After an error the first of them may be stored.
   * @throws PositionMoved when this process no longer owns a partition, DirectoryUnavailable when the caller should
   *   retry the same messages, and errors of Postgres. The failed transaction stored nothing, except that its outcome
   *   is unknown when the connection was lost during COMMIT.
   */
  async write(messages: readonly IntakeMessage[]): Promise<void> {
    const owned = messages.filter((message) => this.#wants(message));
    if (owned.length === 0) return;
    const incoming = owned.map(decode);
    const vms = await this.directory.lookup(reportedHosts(incoming));
    this.names.trim();
    for (const part of partsByNames(incoming, vms, this.names)) await this.#writePart(part, vms);
  }

  /**
   * Stores the whole message as a dead letter instead of its points, and advances behind it.
   * @throws as {@link write}
   */
  async deadLetter(message: IntakeMessage, error: string): Promise<void> {
    if (!this.#wants(message)) return;
    const rejections = new Rejections();
    const { batch } = decode(message);
    const { tenantId, vmIds, metrics } = batch ?? {};
    const subject = tenantId ? { tenantId, vmId: vmIds?.[0] ?? '', metric: metrics?.[0] ?? '' } : undefined;
    rejections.add('unstorable', batch?.time.length || 1, subject);
    const { partition, streamGeneration, seq, source, storedAt, data } = message;
    const deadLetter = { partition, streamGeneration, seq, source, storedAt, data, error };
    await this.#commit(message, { series: [], rejections, deadLetter });
  }

  async #writePart({ incoming, names }: Part, vms: ReadonlyMap<string, VmEntry>): Promise<void> {
    const started = performance.now();
    const last = incoming.at(-1)?.message;
    if (!last) return;
    await this.names.learn(names);
    const rejections = new Rejections();
    const buffer = new SeriesBuffer();
    const known = {
      vms,
      metricId: (tenantId: string, name: string) => this.names.idOf(tenantId, name),
      ...this.partitions.window(),
    };
    for (const one of incoming) admit(one, known, buffer, rejections);
    const series = buffer.sorted();
    await this.partitions.ensureFor(series);
    await this.#commit(last, { series, rejections });
    stored.add(buffer.points);
    messagesStored.add(incoming.length);
    writeSeconds.record((performance.now() - started) / 1_000);
  }

  async #commit(last: IntakeMessage, { series, rejections, deadLetter }: Outcome): Promise<void> {
    const advances = this.#advances(last);
    const position = await writePoints(this.db, {
      advances,
      series,
      dropped: rejections.dropped(),
      ...(deadLetter ? { deadLetter } : {}),
    });
    this.announcer.add(series, position);
    for (const advance of advances) this.#moveTo(advance);
    last.ack();
    rejections.publish();
  }

  /** A message up to the position is stored already. */
  #wants({ partition, streamGeneration, seq }: IntakeMessage): boolean {
    const position = this.#positions.get(partition);
    return position !== undefined && streamGeneration === position.streamGeneration && seq > position.seq;
  }

  #advances({ seq, storedAt }: IntakeMessage): Advance[] {
    return [...this.#positions.values()]
      .filter((position) => position.seq < seq)
      .sort((a, b) => a.partition - b.partition)
      .map(({ partition, fence, streamGeneration, seq: from }) => ({
        partition,
        fence,
        streamGeneration,
        from,
        to: seq,
        messageAt: storedAt,
      }));
  }

  #moveTo({ partition, to, messageAt }: Advance): void {
    const position = this.#positions.get(partition);
    if (position) this.#positions.set(partition, { ...position, seq: to, messageAt });
  }
}

/** VM → the host that reports it. Of two hosts that report one VM the later one counts; null for the gateway. */
function reportedHosts(incoming: readonly Incoming[]): Map<string, string | null> {
  const all = new Map<string, string | null>();
  for (const { message, batch } of incoming) {
    const host = message.source === GATEWAY ? null : message.source;
    for (const vmId of batch?.vmIds ?? []) all.set(vmId, host ?? all.get(vmId) ?? null);
  }
  return all;
}
