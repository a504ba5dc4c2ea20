import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { DomainEvent, Watermark } from '@novacron/contracts/events';
import { newId } from '@novacron/contracts/ids';
import { createDatabase, type Database, type DatabaseSettings } from '@novacron/postgres/database';
import { migrate } from '@novacron/postgres/migrate';
import { useTestServers, type TestServers, type TestServerOptions } from '@novacron/testkit/servers';
import { appendEvents, type NewEvent } from '../src/append.js';
import { outboxTable, setAsideTable } from '../src/migration.js';
import { Relay, type RelayOptions } from '../src/relay.js';

class Outbox1700000000000 {
  name = 'Outbox1700000000000';

  async up(runner: { query(sql: string): Promise<unknown> }): Promise<void> {
    for (const sql of [...outboxTable('orchestrator'), ...setAsideTable('orchestrator')])
      await runner.query(sql);
  }

  async down(): Promise<void> {}
}

export const TENANT = newId<string>();

/** An event of a VM of {@link TENANT}. */
export function vmEvent(more: Partial<NewEvent> = {}): NewEvent & { id: string } {
  const resourceId = more.resourceId ?? newId<string>();
  const id = newId<string>();
  return {
    id,
    type: 'vm.updated',
    tenantId: TENANT,
    kind: 'vm',
    resourceId,
    version: 1,
    data: { id: resourceId },
    ...more,
  };
}

export class OutboxHarness {
  readonly #closing: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly servers: TestServers,
    readonly nc: NatsConnection,
    /** Receives the messages that only the orchestrator may publish. */
    readonly admin: NatsConnection,
    readonly js: JetStreamClient,
    readonly sys: Database,
  ) {}

  static async start(options: TestServerOptions = {}): Promise<OutboxHarness> {
    const servers = await useTestServers({ nats: true, ...options });
    const { url, user, password } = servers.natsLogin('orchestrator');
    const nc = await connect({
      servers: url,
      user,
      pass: password,
      inboxPrefix: `_INBOX.${user}`,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
    });
    await migrate(settings(servers, 'owner'), { migrations: [Outbox1700000000000] });
    const login = servers.natsLogin('admin');
    const admin = await connect({
      servers: login.url,
      user: login.user,
      pass: login.password,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
    });
    return new OutboxHarness(servers, nc, admin, jetstream(nc), createDatabase(settings(servers, 'sys')));
  }

  settings(role: 'owner' | 'api' | 'sys'): DatabaseSettings {
    return settings(this.servers, role);
  }

  relay(more: Partial<RelayOptions> = {}): Relay {
    const log = { warn: () => undefined, error: () => undefined };
    const relay = new Relay({
      database: this.sys,
      nc: this.nc,
      js: this.js,
      service: 'orchestrator',
      log,
      ...more,
    });
    this.#closing.push(() => relay.stop());
    return relay;
  }

  database(role: 'api' | 'sys'): Database {
    const database = createDatabase(this.settings(role));
    this.#closing.push(() => database.close());
    return database;
  }

  async append(...events: NewEvent[]): Promise<bigint> {
    const { position } = await this.sys.transaction({}, (tx) => appendEvents(tx, events));
    return position.lsn;
  }

  /** How many events the stream holds; NaN while NATS does not answer. */
  async published(): Promise<number> {
    try {
      return (await (await this.#manager()).streams.info('EVENTS')).state.messages;
    } catch {
      // The caller retries; a restarted server takes a moment.
      return NaN;
    }
  }

  /** All events in the stream, in its order. */
  async stream(): Promise<DomainEvent[]> {
    const manager = await this.#manager();
    const events: DomainEvent[] = [];
    const { state } = await manager.streams.info('EVENTS');
    if (state.messages === 0) return events;
    const consumer = await jetstream(this.admin).consumers.get('EVENTS');
    while (events.length < state.messages) {
      const batch = { max_messages: Math.min(500, state.messages - events.length), expires: 2_000 };
      for await (const message of await consumer.fetch(batch)) events.push(message.json<DomainEvent>());
    }
    return events;
  }

  #manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.admin, { timeout: 5_000 });
  }

  /** Watermarks from now on, as they come. */
  watermarks(listener: (mark: Watermark) => void): void {
    const subscription = this.admin.subscribe('watermarks.orchestrator', {
      callback: (_error, message) => listener(message.json<Watermark>()),
    });
    this.#closing.push(async () => subscription.unsubscribe());
  }

  /** The numbers that were set aside, with their reasons. */
  async setAside(): Promise<{ seq: number; reason: string }[]> {
    const text = 'SELECT seq, reason FROM outbox_set_aside ORDER BY seq';
    return (await this.sys.primary.query<{ seq: number; reason: string }>({ text })).rows;
  }

  /** Numbered rows: how many, and the highest number. */
  async numbered(): Promise<{ n: number; top: number | null; waiting: number }> {
    const text =
      'SELECT count(*) AS n, max(seq) AS top, (SELECT count(*) FROM outbox_pending) AS waiting FROM outbox';
    return (await this.sys.primary.query<{ n: number; top: number | null; waiting: number }>({ text }))
      .rows[0]!;
  }

  async stop(): Promise<void> {
    for (const close of this.#closing.reverse()) await close();
    await this.admin.close();
    await this.nc.close();
    await this.sys.close();
    await this.servers.stop();
  }
}

function settings(servers: TestServers, role: 'owner' | 'api' | 'sys'): DatabaseSettings {
  const env = servers.env('orchestrator');
  const [host, port] = String(env.NOVACRON_PG_PRIMARY).split(':') as [string, string];
  return {
    primary: { host, port: Number(port) },
    database: servers.database,
    schema: 'orchestrator',
    role,
    password: String(env[`NOVACRON_PG_${role.toUpperCase()}_PASSWORD`]),
  };
}
