import { jetstream } from '@nats-io/jetstream';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import {
  eventSubject,
  fetchOrchestratorEvents,
  watermarkSubject,
  type DomainEvent,
} from '@novacron/contracts/events';
import { loadConfig } from '@novacron/config/load';
import { newId } from '@novacron/contracts/ids';
import { createDatabase } from '@novacron/postgres/database';
import type { TestServers } from '@novacron/testkit/servers';
import { settings } from '../../src/config.js';

/** The lineage of the test's database, after {@link readLineage}: events of another one are skipped. */
export let LINEAGE = '';

export async function readLineage(servers: TestServers): Promise<void> {
  const { postgres } = loadConfig(settings, servers.env('cache'));
  const db = createDatabase({ ...postgres, schema: 'cache', role: 'sys', password: postgres.sysPassword });
  await db.ping();
  LINEAGE = `${db.lineage?.systemId}.${db.lineage?.timeline}`;
  await db.close();
}

/** Has all events, publishes those that a test does not lose, and serves the others on request. */
export class FakeOrchestrator {
  readonly events = new Map<number, DomainEvent>();
  /** Ranges that were requested. */
  readonly requested: { fromSeq: number; toSeq: number }[] = [];
  /** The events in one answer at most. */
  inOneAnswer = 500;
  #next = 1;

  constructor(private readonly nc: NatsConnection) {
    nc.subscribe(fetchOrchestratorEvents.subject, { callback: (_, message) => this.#answer(message) });
  }

  get lastSeq(): number {
    return this.#next - 1;
  }

  /** Commits this many events; `lost` ones are never published. @returns their numbers */
  async commit(
    count: number,
    lost: (seq: number) => boolean = () => false,
    about: Partial<DomainEvent> = {},
  ): Promise<number[]> {
    const seqs = Array.from({ length: count }, () => this.#next++);
    for (const seq of seqs) {
      this.events.set(seq, { ...eventOf(seq), ...about });
      if (!lost(seq)) await this.publish(seq);
    }
    return seqs;
  }

  async publish(seq: number, event = this.events.get(seq) as DomainEvent): Promise<void> {
    await jetstream(this.nc).publish(eventSubject(event), JSON.stringify(event));
  }

  watermark(seq = this.lastSeq): void {
    this.nc.publish(
      watermarkSubject('orchestrator'),
      JSON.stringify({ service: 'orchestrator', seq, position: `${LINEAGE}.${seq}` }),
    );
  }

  /** Deletes the events up to this number, like the purge after seven days. */
  purge(upTo: number): void {
    for (const seq of this.events.keys()) if (seq <= upTo) this.events.delete(seq);
  }

  #answer(message: Msg): void {
    const { fromSeq, toSeq } = message.json<{ body: { fromSeq: number; toSeq: number } }>().body;
    this.requested.push({ fromSeq, toSeq });
    const kept = [...this.events.keys()].sort((a, b) => a - b);
    const events = kept
      .filter((seq) => seq >= fromSeq && seq <= toSeq)
      .slice(0, this.inOneAnswer)
      .map((seq) => this.events.get(seq));
    const body = { events, oldestSeq: kept[0] ?? null, lastSeq: this.lastSeq };
    message.respond(JSON.stringify({ ok: true, body, position: null }));
  }
}

export function eventOf(seq: number): DomainEvent {
  const resourceId = newId<string>();
  const head = {
    id: newId<DomainEvent['id']>(),
    seq,
    type: 'vm.updated',
    tenantId: newId<string>(),
    kind: 'vm' as const,
  };
  return {
    ...head,
    resourceId,
    version: 1,
    position: `${LINEAGE}.${seq}`,
    at: new Date().toISOString(),
    data: {},
  };
}
