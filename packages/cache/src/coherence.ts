import { Periodic } from '@novacron/async/periodic';
import type { InvalidatedEvent, Invalidation, MetricsInvalidation } from '@novacron/contracts/invalidation';
import { parsePosition, type Position } from '@novacron/contracts/position';
import type { Change } from './change.js';
import type { InvalidationSource, L1 } from './l1.js';
import { MetricsWatermarkTracker } from './metrics-watermark-tracker.js';
import { changesOfMetrics } from './rules.js';
import { WatermarkTracker } from './watermark-tracker.js';

export interface CoherenceOptions {
  readonly l1: L1;
  /** Which keys and groups an event makes old. */
  readonly rules: (event: InvalidatedEvent, position: bigint) => readonly Change[];
  /** Milliseconds, monotone. */
  readonly clock?: () => number;
}

/** How often a gap in the numbers is looked for, milliseconds. */
const TICK_MS = 250;

/** Applies the invalidators' messages to the L1 and moves its watermark. */
export class Coherence {
  readonly #l1: L1;
  readonly #tracker: WatermarkTracker;
  readonly #metrics: MetricsWatermarkTracker;
  readonly #clock: () => number;
  readonly #gapWatch = new Periodic(() => this.tick(), { everyMs: TICK_MS });
  #lineage: string | null = null;
  #published: bigint | null = null;
  #advancedAt: number | null = null;
  invalidations = 0;

  constructor(private readonly options: CoherenceOptions) {
    this.#l1 = options.l1;
    this.#clock = options.clock ?? (() => performance.now());
    this.#tracker = new WatermarkTracker({
      clock: this.#clock,
      target: { advance: (position) => this.#advance(position), drop: () => this.#l1.drop() },
    });
    this.#metrics = new MetricsWatermarkTracker({
      advance: (position) => this.#l1.advance(position, 'metrics'),
      distrust: () => this.#l1.distrust('metrics'),
    });
  }

  /** `<systemId>.<timeline>`; null before the first message. */
  get lineage(): string | null {
    return this.#lineage;
  }

  /**
   * The token that applies to a reader without one: the last watermark, even if the L1 was dropped since. null before
   * the first watermark.
   */
  published(source: InvalidationSource): bigint | null {
    if (source === 'events') return this.#published;
    // Metrics have a watermark only while an ingester is running. Until then the watermark of events is the bound.
    const watermark = this.#l1.watermark('metrics');
    return watermark === null ? this.#published : watermark - 1n;
  }

  get drops(): number {
    return this.#tracker.drops;
  }

  /** Milliseconds since the watermark last moved; null before it did. */
  get lagMs(): number | null {
    return this.#advancedAt === null ? null : this.#clock() - this.#advancedAt;
  }

  /** Looks for lost messages until stop(). */
  start(): void {
    this.#gapWatch.start();
  }

  stop(): void {
    void this.#gapWatch.stop();
  }

  /** Positions are of this lineage from now on: entries of another one are dropped. */
  setLineage(lineage: string): void {
    if (lineage === this.#lineage) return;
    this.#lineage = lineage;
    this.#published = null;
    this.#advancedAt = null;
    this.onReconnect();
    this.#l1.forgetLineage();
  }

  onInvalidation(message: Invalidation): void {
    if (!this.#follow(message.history)) return;
    for (const event of message.events) {
      for (const change of this.options.rules(event, BigInt(event.lsn))) this.#apply(change);
      this.#tracker.applied(event.seq);
      this.invalidations += 1;
    }
  }

  /** The relay's watermark of the orchestrator. */
  onWatermark(seq: number, position: Position): void {
    const lineage = `${position.systemId}.${position.timeline}`;
    // The relay runs on the writable database: after a restore that is another one.
    if (this.#lineage !== null && !this.#lineage.startsWith(`${position.systemId}.`))
      this.setLineage(lineage);
    if (!this.#follow(lineage)) return;
    this.#tracker.mark({ seq, position: position.lsn });
  }

  /** New points of VMs, and the position up to which their metrics are known. */
  onMetrics(message: MetricsInvalidation): void {
    const { systemId, timeline } = parsePosition(message.position);
    if (!this.#follow(`${systemId}.${timeline}`)) return;
    for (const change of changesOfMetrics(message)) {
      this.#l1.invalidateLists(change.group, change.position, 'metrics');
    }
    this.#metrics.receive(message);
  }

  /** Messages may have been missed. */
  onReconnect(): void {
    this.#tracker.restart();
    this.#metrics.restart();
  }

  /** Drops the L1 when a message has been missing for too long. */
  tick(): void {
    this.#tracker.tick();
  }

  #apply(change: Change): void {
    if (change.what === 'resource') this.#l1.tombstone(change.key, change.version, change.position);
    else this.#l1.invalidateLists(change.group, change.position);
  }

  #advance(position: bigint): void {
    this.#l1.advance(position);
    const watermark = this.#l1.watermark();
    // The L1 refused the position: invalidations beyond it may be forgotten.
    if (watermark === null || position < watermark) return;
    this.#advancedAt = this.#clock();
    this.#published = watermark - 1n;
  }

  /** @returns whether messages of `lineage` count; a later timeline of the same database takes over by itself */
  #follow(lineage: string): boolean {
    if (lineage === this.#lineage) return true;
    const [system, timeline] = lineage.split('.');
    const [ourSystem, ourTimeline] = this.#lineage?.split('.') ?? [];
    const newer = ourSystem === undefined || (system === ourSystem && Number(timeline) > Number(ourTimeline));
    if (newer) this.setLineage(lineage);
    return newer;
  }
}
