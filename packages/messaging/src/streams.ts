import {
  DiscardPolicy,
  jetstreamManager,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos, type NatsConnection } from '@nats-io/transport-node';

export const EVENTS = 'EVENTS';
export const METRICS = 'METRICS';
export type StreamName = typeof EVENTS | typeof METRICS;

const HOUR_MS = 3_600_000;
const GIB = 1024 ** 3;
const STREAM_NOT_FOUND = 404;

export interface StreamSizes {
  /** Copies of each message; 3 on a cluster. */
  readonly replicas?: number;
  readonly eventsMaxBytes?: number;
  readonly metricsMaxBytes?: number;
}

type Definition = Partial<StreamConfig> & { name: string; subjects: string[] };

/** Both streams by options of nats-server 2.9.10. A newer option needs a check of `nc.info.version`. */
export function streamDefinitions(sizes: StreamSizes = {}): Record<StreamName, Definition> {
  const common = {
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    num_replicas: sizes.replicas ?? 1,
  };
  return {
    // Postgres keeps every event as long, so the stream may drop the oldest. A consumer fetches a missed event by seq.
    EVENTS: {
      ...common,
      name: EVENTS,
      subjects: ['events.>'],
      max_age: nanos(7 * 24 * HOUR_MS),
      max_bytes: sizes.eventsMaxBytes ?? 4 * GIB,
      discard: DiscardPolicy.Old,
      duplicate_window: nanos(120_000),
      allow_direct: true,
    },
    // A 202 promises that JetStream stored the batch. So a full stream refuses a new batch, which its sender keeps or
    // reports, and never drops an accepted one.
    METRICS: {
      ...common,
      name: METRICS,
      subjects: ['metrics.ingest.>'],
      max_age: nanos(24 * HOUR_MS),
      max_bytes: sizes.metricsMaxBytes ?? 4 * GIB,
      discard: DiscardPolicy.New,
      duplicate_window: nanos(120_000),
    },
  };
}

/**
 * Creates the named streams where they are missing, and updates those whose limits differ. Several services may do so
 * at once.
 * @throws when JetStream does not answer or refuses
 */
export async function ensureStreams(
  nc: NatsConnection,
  names: readonly StreamName[] = [EVENTS, METRICS],
  sizes: StreamSizes = {},
): Promise<void> {
  const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 5_000 });
  const definitions = streamDefinitions(sizes);
  for (const name of names) await ensureStream(manager, definitions[name]);
}

async function ensureStream(manager: JetStreamManager, wanted: Definition): Promise<void> {
  const present = await manager.streams.info(wanted.name).catch((error: unknown) => {
    if (error instanceof JetStreamApiError && error.status === STREAM_NOT_FOUND) return undefined;
    throw error;
  });
  if (present === undefined) {
    // Creating the same stream twice succeeds.
    await manager.streams.add(wanted);
  } else if (differs(present.config, wanted)) {
    await manager.streams.update(wanted.name, { ...present.config, ...wanted });
  }
}

function differs(present: StreamConfig, wanted: Definition): boolean {
  return Object.entries(wanted).some(
    ([key, value]) => JSON.stringify(present[key as keyof StreamConfig]) !== JSON.stringify(value),
  );
}
