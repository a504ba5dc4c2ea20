import { adminConnection } from '@novacron/local-stack/servers/postgres-server';
import type { ReplicaName, TestCluster } from '@novacron/testkit/test-cluster';
import pg from 'pg';

/** A replica of the fleet. Keeps a connection, because it is paused and resumed several times a second. */
export class FleetReplica {
  #client: pg.Client | undefined;

  constructor(
    readonly name: ReplicaName,
    private readonly cluster: TestCluster,
  ) {}

  /** Pauses replay: the replica still receives WAL, but shows no new commit. */
  pause(): Promise<void> {
    return this.#execute('SELECT pg_wal_replay_pause()');
  }

  resume(): Promise<void> {
    return this.#execute('SELECT pg_wal_replay_resume()');
  }

  async kill(): Promise<void> {
    await this.cluster.end(this.name, 'kill');
    this.#forget();
  }

  start(): Promise<void> {
    return this.cluster.restart(this.name);
  }

  close(): void {
    this.#forget();
  }

  async #execute(statement: string): Promise<void> {
    try {
      this.#client ??= await this.#connect();
      await this.#client.query(statement);
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client(adminConnection(this.cluster.replicaOptions(this.name)));
    client.on('error', () => this.#forget()); // it was killed on purpose; the next command connects again
    await client.connect();
    return client;
  }

  #forget(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.end().catch(() => undefined); // it may be gone already
  }
}
