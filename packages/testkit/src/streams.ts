import { jetstreamManager, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

const nanosecondsPerDay = 86_400_000_000_000;

/** The streams that services create at their start (messaging/streams), so that a test of one service has them all. */
const streams: (Partial<StreamConfig> & { name: string; subjects: string[] })[] = [
  {
    name: 'EVENTS',
    subjects: ['events.>'],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    max_age: 7 * nanosecondsPerDay,
    allow_direct: true,
  },
  {
    name: 'METRICS',
    subjects: ['metrics.ingest.>'],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    max_age: nanosecondsPerDay,
  },
];

/** Creates EVENTS and METRICS where they are missing. */
export async function makeStreams(server: { url: string; user: string; password: string }): Promise<void> {
  const nc = await connect({ servers: server.url, user: server.user, pass: server.password, timeout: 5000 });
  try {
    const manager = await jetstreamManager(nc);
    const present = new Set<string>();
    for await (const name of manager.streams.names()) present.add(name);
    for (const stream of streams) if (!present.has(stream.name)) await manager.streams.add(stream);
  } finally {
    await nc.close();
  }
}
