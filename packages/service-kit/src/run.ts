import type { INestApplicationContext, Type } from '@nestjs/common';
import type { natsEnv, opsEnv, postgresEnv, telemetryEnv } from '@novacron/config/fragments';
import { ConfigError, loadConfig, type Config, type Settings } from '@novacron/config/load';
import type { StreamName } from '@novacron/messaging/streams';
import type { QueryMonitor } from '@novacron/postgres/query-monitor';
import { watchDatabase, type DatabaseWatch } from '@novacron/telemetry/database-watch';
import { createLogger, type Logger } from '@novacron/telemetry/logger';
import { startOps } from '@novacron/telemetry/ops';
import { Profiling } from '@novacron/telemetry/profiling';
import { startTelemetry } from '@novacron/telemetry/start';
import 'reflect-metadata';
import { plainApp, rpcApp } from './apps.js';
import { openNats, openPostgres, type DependencyOptions, type PostgresSpec } from './dependencies.js';
import { DrainCoordinator } from './drain.js';
import type { HttpOptions } from './http-app.js';
import { rootModule, type KitOptions } from './kit-module.js';
import { Readiness } from './readiness.js';

/** Every service has these, and natsEnv and postgresEnv where it needs them. */
export type ServiceSettings = Settings & typeof opsEnv & typeof telemetryEnv;

export interface ServiceSpec<S extends ServiceSettings> {
  /** For example `orchestrator`: the name in logs, traces and NATS, and the queue group of its requests. */
  readonly name: string;
  readonly settings: S;
  /** Required with postgresEnv. */
  readonly postgres?: PostgresSpec;
  /** The streams that this service creates where they are missing; its NATS user needs the permission. */
  readonly streams?: readonly StreamName[];
  /** Makes it a Fastify application. Without it, a service with natsEnv serves `@RpcHandler`, and one without serves no requests. */
  readonly http?: (config: Config<S>) => HttpOptions;
  readonly rpc?: { readonly maxInFlight?: number };
  /**
   * The service's module. Its providers inject what `inject.ts` names. `onModuleInit` loads what the first request
   * needs, `onApplicationBootstrap` starts workers, which add their end to the drain coordinator. Both run before the
   * service listens.
   */
  readonly module: Type;
}

export interface RunningService {
  readonly app: INestApplicationContext;
  readonly opsPort: number;
  /** Undefined without HTTP. */
  readonly httpPort: number | undefined;
  /** Drains. @returns whether every step succeeded in time */
  stop(): Promise<boolean>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly logger?: Logger;
  /** Called as soon as the drain coordinator exists, before any dependency is connected. */
  readonly onDrain?: (drain: DrainCoordinator, logger: Logger) => void;
}

/** The `main.ts` of a service: starts it, drains on SIGTERM and SIGINT, and ends the process. */
export async function runService<S extends ServiceSettings>(spec: ServiceSpec<S>): Promise<void> {
  const fallback = createLogger(spec.name);
  let drain: DrainCoordinator | undefined;
  let signalled = false;
  try {
    await startService(spec, {
      onDrain: (created, logger) => {
        drain = created;
        endWith(created, logger, () => (signalled = true));
      },
    });
  } catch (error) {
    // A signal during the start is not a failure; its drain ends the process. A failed start drains too, so the state
    // of the drain cannot distinguish the two.
    if (signalled) return;
    if (error instanceof ConfigError) process.stderr.write(`${spec.name}: ${error.message}\n`);
    else fallback.fatal({ err: error }, 'service start failed');
    await drain?.run();
    process.exit(1);
  }
}

/**
 * Starts a service within this process: configuration → telemetry → ops listener → NATS → Postgres →
 * migrations → Nest → listening → ready. It waits for a missing dependency; meanwhile /health answers and /ready names
 * the dependency.
 * @throws ConfigError, or the error of the start after draining
 */
export async function startService<S extends ServiceSettings>(
  spec: ServiceSpec<S>,
  options: StartOptions = {},
): Promise<RunningService> {
  const config = loadConfig(spec.settings, options.env);
  // Only part of the settings' type is known here: the settings of every service, and the optional ones.
  const known = config as unknown as Config<typeof opsEnv & typeof telemetryEnv> &
    Partial<Config<typeof natsEnv & typeof postgresEnv>>;
  const profiling = profilingOf(spec.name, known.profiling);
  const logger = options.logger ?? createLogger(spec.name, known.telemetry.logLevel);
  const drain = new DrainCoordinator(logger);
  const readiness = new Readiness();
  options.onDrain?.(drain, logger);
  drain.signal.addEventListener('abort', () => readiness.drain());

  const telemetry = await startTelemetry({ service: spec.name, logger, ...known.telemetry });
  drain.add('telemetry', 'spans', () => telemetry.stop());
  let monitor: QueryMonitor | undefined;
  const ops = await startOps({
    ...known.ops,
    queries: () => monitor && queryReport(watchDatabase(logger), monitor),
    metricsText: telemetry.metricsText,
    ready: () => readiness.report(),
    profiling,
  });
  drain.add('ops', 'listener', () => ops.close());

  try {
    const dependencies: DependencyOptions = { name: spec.name, logger, drain, readiness };
    const [nc, postgres] = await Promise.all([
      known.nats === undefined ? undefined : openNats(dependencies, known.nats, spec.streams ?? []),
      known.postgres === undefined ? undefined : openPostgres(dependencies, known.postgres, postgresOf(spec)),
    ]);
    monitor = postgres?.monitor;
    const kit = { ...dependencies, config, nc, databases: postgres?.databases };
    const { app, port } = await listen(spec, kit);
    readiness.serve();
    drain.signal.addEventListener('abort', readiness.keepFresh());
    logger.info({ opsPort: ops.port, httpPort: port }, 'ready');
    return { app, opsPort: ops.port, httpPort: port, stop: () => drain.run() };
  } catch (error) {
    await drain.run();
    throw error;
  }
}

async function listen<S extends ServiceSettings>(
  spec: ServiceSpec<S>,
  kit: KitOptions & { readonly config: Config<S> },
): Promise<{ app: INestApplicationContext; port: number | undefined }> {
  const module = rootModule(kit, spec.module);
  if (spec.http !== undefined) {
    // Only a service with HTTP loads Fastify.
    const { httpApp } = await import('./http-app.js');
    return httpApp(kit, module, spec.http(kit.config));
  }
  const { nc } = kit;
  const app = nc ? await rpcApp({ ...kit, nc }, module, spec.rpc?.maxInFlight) : await plainApp(kit, module);
  return { app, port: undefined };
}

/** @throws ConfigError without a secret: a profile shows the work of the process, so it needs a token */
function profilingOf(
  service: string,
  { enabled, token }: Config<typeof opsEnv>['profiling'],
): Profiling | undefined {
  if (!enabled) return undefined;
  if (token !== undefined) return new Profiling(service, token);
  const problem = 'is missing, and ENABLE_PROFILING is true';
  throw new ConfigError([{ variable: 'NOVACRON_PROFILING_TOKEN', problem }]);
}

/** The answer of /queries: this process's observations of its queries, and Postgres's statistics of the service. */
function queryReport(watch: DatabaseWatch, monitor: QueryMonitor): object {
  return { slow: watch.slow(), running: watch.longRunning(), ...monitor.report() };
}

function postgresOf({ postgres, name }: { postgres?: PostgresSpec; name: string }): PostgresSpec {
  if (postgres === undefined) throw new Error(`${name} has postgresEnv but no postgres`);
  return postgres;
}

/** A signal drains the process, which exits with 0, or 1 if a step was abandoned. An unhandled error exits at once with 1. */
function endWith(drain: DrainCoordinator, logger: Logger, onSignal: () => void): void {
  const end = (signal: string) => {
    if (drain.signal.aborted) return;
    onSignal();
    logger.info({ signal }, 'signal received');
    void drain.run().then((clean) => process.exit(clean ? 0 : 1));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('unhandledRejection', (error) => {
    logger.fatal({ err: error }, 'unhandled rejection');
    process.exit(1);
  });
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'uncaught exception');
    process.exit(1);
  });
}
