import { parseLsn, type Position } from '@novacron/contracts/position';
import pg from 'pg';
import { Batch } from './batch.js';
import { codeOf, isConnectionLoss, late } from './failure.js';
import { parseTimelineHistory, type Forks } from './lineage.js';
import { encode, type Prepared } from './prepared.js';
import {
  CONNECT_TIMEOUT_MS,
  DEAD_CONNECTION_GRACE_MS,
  IDLE_IN_TRANSACTION_MS,
  STATEMENT_TIMEOUT_MS,
  loginOf,
  type DatabaseSettings,
  type ServerAddress,
} from './settings.js';
import { ROLLBACK, TIMELINE_HISTORY, WHO_ARE_YOU } from './statements.js';
import type { Call, Result } from './statement.js';

/** Cluster and timeline of a server, and whether it is a standby. */
export interface Identity {
  readonly systemId: string;
  readonly timeline: number;
  readonly standby: boolean;
  /** Where its earlier timelines ended. */
  readonly forks: Forks;
  /** Whether `novacron.committing()` is there. */
  readonly tellsCommits: boolean;
}

/** No such schema, no such function, no right to it. */
const NOT_OFFERED = new Set(['3F000', '42883', '42501']);
const SESSION = [
  // Plans are cached while tables are still empty: at the default of 4 those of hot updates were scans, and stayed.
  'random_page_cost=1.1',
  // How times read as text must not depend on how a server is set up.
  'timezone=UTC',
  'datestyle=ISO',
  // A replica's answer is only as new as the position read before it when each statement has its own snapshot.
  'default_transaction_isolation=read\\ committed',
  // A client whose machine vanished keeps its locks until the server notices: within a minute, not two hours.
  'tcp_keepalives_idle=30',
  'tcp_keepalives_interval=5',
  'tcp_keepalives_count=4',
];

export type Row = Record<string, unknown>;

/** One connection. It runs one batch at a time, in the order given, and fails those that get no answer. */
export class Connection {
  readonly openedAt = performance.now();
  idleSince = 0;
  identity: Identity = { systemId: '0', timeline: 0, standby: false, forks: new Map(), tellsCommits: false };
  /** When the batch in flight is considered lost; 0: none in flight. */
  lostAt = 0;
  #callersTime = false;
  readonly #known = new Map<string, Prepared>();
  readonly #client: pg.Client;
  readonly #patienceMs: number;
  #tail: Promise<unknown> | null = null;
  #broken: Error | null = null;

  private constructor(settings: DatabaseSettings, address: ServerAddress) {
    const statementTimeoutMs = settings.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
    this.#patienceMs = statementTimeoutMs + DEAD_CONNECTION_GRACE_MS;
    this.#client = new pg.Client({
      host: address.host,
      port: address.port,
      database: settings.database,
      user: loginOf(settings),
      password: settings.password,
      application_name: `novacron-${settings.schema}-${settings.role}`,
      connectionTimeoutMillis: settings.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      options: SESSION.map((setting) => `-c ${setting}`).join(' ') + ` -c search_path=${settings.schema}`,
    });
    // Without a listener a connection that breaks while idle would end the process.
    this.#client.on('error', (error) => this.#break(error));
    this.#client.on('end', () => this.#break(new Error('Connection terminated')));
  }

  /** Connects and reads the server's identity. */
  static async open(settings: DatabaseSettings, address: ServerAddress): Promise<Connection> {
    const connection = new Connection(settings, address);
    try {
      await connection.#client.connect();
      await connection.identify(settings.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
      return connection;
    } catch (error) {
      connection.destroy(error as Error);
      throw error;
    }
  }

  get usable(): boolean {
    return this.#broken === null;
  }

  /** The raw client, for COPY inside of a transaction. */
  get client(): pg.Client {
    return this.#client;
  }

  /** Reads system identifier and timeline again: a standby changes its timeline when it follows a promotion. */
  async identify(timeoutMs?: number): Promise<Identity> {
    const [answer] = await this.run([{ statement: WHO_ARE_YOU }], timeoutMs);
    const row = answer?.rows[0] as {
      system_id: string;
      timeline: number;
      standby: boolean;
      tells_commits: boolean;
    };
    const promoted = !row.standby && row.timeline > 1;
    const forks = promoted ? await this.#forks(timeoutMs) : new Map<number, bigint>();
    const { system_id: systemId, timeline, standby, tells_commits: tellsCommits } = row;
    this.identity = { systemId, timeline, standby, forks, tellsCommits };
    return this.identity;
  }

  async #forks(timeoutMs?: number): Promise<Forks> {
    try {
      const [answer] = await this.run([{ statement: TIMELINE_HISTORY }], timeoutMs);
      return parseTimelineHistory(String(answer?.rows[0]?.history));
    } catch (error) {
      // Without the function the earlier timelines are unknown: their tokens are refused, not trusted.
      if (!NOT_OFFERED.has(codeOf(error) ?? '')) throw error;
      return new Map();
    }
  }

  /** Sends the calls as one batch in one write. Rejects with the error of the first that failed. */
  run(calls: readonly Call[], timeoutMs = this.#patienceMs): Promise<Result<Row>[]> {
    const next = (): Promise<Result<Row>[]> => this.#start(calls, timeoutMs);
    const done = this.#tail === null ? next() : this.#tail.then(next, next);
    const settled = (): void => {
      if (this.#tail === done) this.#tail = null;
    };
    done.then(settled, settled);
    this.#tail = done;
    return done;
  }

  #start(calls: readonly Call[], timeoutMs: number): Promise<Result<Row>[]> {
    return new Promise<Result<Row>[]>((resolve, reject) => {
      if (this.#broken) return reject(this.#broken);
      const batch = new Batch(calls.map(encode), this.#known, (error, results) => {
        this.lostAt = 0;
        if (!error) return resolve(results);
        if (isConnectionLoss(error)) this.destroy(error);
        reject(this.#broken ?? error);
      });
      this.lostAt = performance.now() + timeoutMs;
      this.#callersTime = timeoutMs < this.#patienceMs;
      this.#client.query(batch as unknown as pg.Submittable);
    });
  }

  /** Ends a transaction that an error left open; a connection on which even that fails is closed. */
  async rollback(): Promise<void> {
    if (!this.usable) return;
    try {
      await this.run([{ statement: ROLLBACK }], DEAD_CONNECTION_GRACE_MS);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  /** Fails the batch in flight when its time is over: the caller's own, or that after which a server is dead. */
  expire(now: number): void {
    if (this.lostAt === 0 || this.lostAt >= now) return;
    const reason = new Error('Connection terminated: no answer in time');
    this.destroy(this.#callersTime ? late(reason) : reason);
  }

  positionAt(lsn: unknown): Position {
    return {
      systemId: this.identity.systemId,
      timeline: this.identity.timeline,
      lsn: parseLsn(lsn as string),
    };
  }

  /** Ends the session with the server. */
  async close(): Promise<void> {
    if (!this.usable) return;
    this.#broken = new Error('Connection terminated: it was closed');
    await this.#client.end();
  }

  /** Drops the connection at once; its batch in flight fails with `reason`. */
  destroy(reason: Error): void {
    this.#break(reason);
    this.#client.connection.stream.destroy();
  }

  #break(error: Error): void {
    this.#broken ??= error;
  }
}
