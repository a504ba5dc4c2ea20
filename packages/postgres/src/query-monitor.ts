import { Periodic } from '@novacron/async/periodic';
import { dbReport, type DbReportDiagnostic } from '@novacron/telemetry/diagnostics';
import type { Database, DatabaseStats } from './database.js';
import { CONNECTIONS, HIT_RATIO, LONG_RUNNING, MAY_ASK, STATEMENTS, TABLES } from './monitor-sql.js';
import { codeOf } from './failure.js';
import type { PoolStats } from './pool.js';
import type { Statement } from './statement.js';

export interface ServerReport {
  readonly at: string;
  readonly hitRatio: number | null;
  readonly indexRatio: number | null;
  readonly connections: Readonly<Record<string, number>>;
  /** The service's tables, those with the most rows read by sequential scans first. */
  readonly tables: readonly object[];
  /** What runs for over five seconds in this database; of other services' and people's queries without the text. */
  readonly longRunning: readonly LongRunning[];
  /** Of pg_stat_statements, the service's own by total execution time; null where the extension is not there. */
  readonly statements: readonly object[] | null;
}

export interface MonitorReport {
  readonly pools: readonly PoolStats[];
  readonly servers: DbReportDiagnostic['servers'];
  /** The last report of Postgres; null before the first. */
  readonly server: ServerReport | null;
  /** Why the last attempt to read it failed. */
  readonly error?: string;
}

interface LongRunning {
  readonly pid: number;
  readonly role: string;
  readonly ours: boolean;
  readonly ms: number;
  /** null when a role of another service runs it */
  readonly query: string | null;
}

export interface QueryMonitorOptions {
  readonly api: Database;
  readonly sys: Database;
  readonly log: { warn(about: object, message: string): void };
  readonly everyMs?: number;
}

const EVERY_MS = 30_000;
const TIMEOUT_MS = 5_000;
/** The extension was made, and its library is not among shared_preload_libraries. */
const NOT_LOADED = '55000';
const NOT_ASKED = 'sessions and statements are unknown: run bootstrap.sql of this version';

/** Reads the statistics of this service's queries from Postgres every 30 seconds. */
export class QueryMonitor {
  #server: ServerReport | null = null;
  #error: string | undefined;
  readonly #readings: Periodic;
  #told = new Set<string>();

  constructor(private readonly options: QueryMonitorOptions) {
    const everyMs = options.everyMs ?? EVERY_MS;
    this.#readings = new Periodic(() => this.#collect(), { everyMs, firstRun: 'now' });
  }

  /** Begins with a reading at once. */
  start(): void {
    this.#readings.start();
  }

  stop(): Promise<void> {
    return this.#readings.stop();
  }

  /** Reads now, or waits for the reading in progress. Never rejects. */
  collect(): Promise<void> {
    return this.#readings.run();
  }

  report(): MonitorReport {
    const { api, sys } = this.options;
    const stats = [api.stats(), sys.stats()];
    return {
      pools: stats.flatMap(({ pools }) => pools),
      servers: serversOf(stats),
      server: this.#server,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  async #collect(): Promise<void> {
    try {
      const { server, mayAsk } = await this.#ask();
      this.#server = server;
      this.#error = mayAsk ? undefined : NOT_ASKED;
      this.#tellLongRunning(this.#server.longRunning);
    } catch (error) {
      // The report carries the error. The readiness check reports a database that is away.
      this.#error = (error as Error).message;
    }
    const { hitRatio = null, indexRatio = null, connections = {} } = this.#server ?? {};
    dbReport.publish({ hitRatio, indexRatio, connections, servers: this.report().servers });
  }

  async #ask(): Promise<{ server: ServerReport; mayAsk: boolean }> {
    const [may, hits, tables] = await this.#read(MAY_ASK, HIT_RATIO, TABLES);
    const mayAsk = may?.[0]?.may === true;
    const [connections, running] = mayAsk ? await this.#read(CONNECTIONS, LONG_RUNNING) : [];
    const server = {
      at: new Date().toISOString(),
      hitRatio: (hits?.[0]?.ratio ?? null) as number | null,
      indexRatio: indexRatio((tables ?? []) as unknown as Scans[]),
      connections: Object.fromEntries(
        (connections ?? []).map(({ state, count }) => [String(state), Number(count)]),
      ),
      tables: tables ?? [],
      longRunning: (running ?? []) as unknown as LongRunning[],
      statements: mayAsk ? await this.#statements() : null,
    };
    return { server, mayAsk };
  }

  async #read(...statements: Statement[]): Promise<Record<string, unknown>[][]> {
    const calls = statements.map((statement) => ({ statement }));
    const { results } = await this.options.sys.primary.read({ timeoutMs: TIMEOUT_MS }, calls);
    return results.map(({ rows }) => rows);
  }

  async #statements(): Promise<object[] | null> {
    try {
      return (await this.#read(STATEMENTS))[0] ?? [];
    } catch (error) {
      if (codeOf(error) === NOT_LOADED) return null;
      throw error;
    }
  }

  /** Logs each once. (A query of this process is also logged with its trace; a query of another process is only here.) */
  #tellLongRunning(running: readonly LongRunning[]): void {
    const ours = running.filter((query) => query.ours);
    for (const { pid, role, ms, query } of ours) {
      if (this.#told.has(`${pid} ${query}`)) continue;
      this.options.log.warn({ pid, role, ms, query }, 'query is running for long in Postgres');
    }
    this.#told = new Set(ours.map(({ pid, query }) => `${pid} ${query}`));
  }
}

interface Scans {
  readonly seqScans: number;
  readonly indexScans: number;
}

function indexRatio(tables: readonly Scans[]): number | null {
  const sum = (key: keyof Scans) => tables.reduce((total, table) => total + table[key], 0);
  const all = sum('seqScans') + sum('indexScans');
  return all === 0 ? null : sum('indexScans') / all;
}

/** The servers as both pools of this process see them: reads added, the larger lag. */
function serversOf(stats: readonly DatabaseStats[]): DbReportDiagnostic['servers'] {
  const servers = new Map<string, DbReportDiagnostic['servers'][number]>();
  const add = (server: DbReportDiagnostic['servers'][number]): void => {
    const known = servers.get(server.server);
    servers.set(server.server, {
      ...server,
      healthy: server.healthy && (known?.healthy ?? true),
      lagMs: Math.max(server.lagMs, known?.lagMs ?? 0),
      reads: server.reads + (known?.reads ?? 0),
    });
  };
  for (const { primary, replicas } of stats) {
    add({ ...primary, role: 'primary', healthy: true, lagMs: 0 });
    for (const { server, healthy, lagMs, reads } of replicas)
      add({ server, healthy, lagMs, reads, role: 'replica' });
  }
  return [...servers.values()];
}
