/*
 * What an authenticated, tenant-checked GET out of the L1 costs, against a bare node:http server that sends the
 * same bytes (headers too), telemetry on at 1 % sampling. Build first, then:
 *
 *     node apps/gateway/test/bench/hot-reads.ts [rounds] [requests] [--json]
 *
 * The two servers take turns, each in a process of its own. What is compared is the CPU time that a server's
 * process takes for a request: how many it answers on one core is one over that, and the load of the machine's
 * other processes does not change it. Bytes allocated are V8's sampled count, in a round of their own.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { PerformanceObserver } from 'node:perf_hooks';
import { Session } from 'node:inspector/promises';

const VM = (i: number) => ({
  id: `01890000-0000-7000-8000-${String(i).padStart(12, '0')}`,
  tenantId: TENANT,
  name: `web-${i}`,
  state: 'running',
  desiredState: 'running',
  config: { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' },
  zone: 'sim',
  hostId: '01890000-0000-7000-8000-0000000000ff',
  tags: { env: 'prod', role: 'web' },
  task: null,
  conditions: [],
  stopReason: null,
  lastError: null,
  generation: 1,
  observedGeneration: 1,
  incarnation: 1,
  restartPolicy: { mode: 'never', maxAttempts: 5, backoff: 10 },
  version: 4,
  allowedActions: ['stop', 'reboot', 'force-stop', 'pause', 'delete'],
  createdAt: '2026-11-23T16:30:00.000Z',
  updatedAt: '2026-11-23T16:30:05.000Z',
});
const TENANT = '01890000-0000-7000-8000-00000000aaaa';
const TOKEN = `nvc_${'b'.repeat(43)}`;
const CASES = {
  list: '/api/v1/vms',
  vm: `/api/v1/vms/${VM(1).id}`,
  unchanged: `/api/v1/vms/${VM(1).id}`,
} as const;
type Case = keyof typeof CASES;

interface Cost {
  readonly cpuMicros: number;
  readonly allocated: number;
  readonly gcMicros: number;
}

/** Answers 'start' and 'stop' with what was spent in between; `requests` is counted by the asker. */
function meter(): void {
  const inspector = new Session();
  inspector.connect();
  let gcMs = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) gcMs += entry.duration;
  }).observe({ entryTypes: ['gc'] });
  const now = () => ({ cpu: process.cpuUsage(), gcMs });
  let before = now();
  process.on('message', (what) => {
    if (what === 'start') before = now();
    if (what === 'sample') {
      void inspector.post('HeapProfiler.startSampling', {
        samplingInterval: 4_096,
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true,
      });
    }
    if (what === 'sampled') {
      void inspector.post('HeapProfiler.stopSampling').then(({ profile }) => {
        const { samples } = profile as unknown as { samples: { size: number }[] };
        const allocated = samples.reduce((sum, { size }) => sum + size, 0);
        process.send?.({ cpuMicros: 0, gcMicros: 0, allocated } satisfies Cost);
      });
    }
    if (what !== 'stop') return;
    const { user, system } = process.cpuUsage(before.cpu);
    const gcMicros = (gcMs - before.gcMs) * 1_000;
    process.send?.({ cpuMicros: user + system, allocated: 0, gcMicros } satisfies Cost);
  });
}

async function gateway(): Promise<void> {
  const { Test } = await import('@nestjs/testing');
  const { Cache } = await import('@novacron/cache/cache');
  const { changesOf } = await import('@novacron/cache/rules');
  const { RpcClient } = await import('@novacron/messaging/rpc-client');
  const { DrainCoordinator } = await import('@novacron/service-kit/drain');
  const { TOKENS } = await import('@novacron/service-kit/inject');
  const { Readiness } = await import('@novacron/service-kit/readiness');
  const { Replication } = await import('@novacron/service-kit/replication');
  const { startTelemetry } = await import('@novacron/telemetry/start');
  const { httpTelemetry } = await import('@novacron/telemetry/http');
  const { createLogger } = await import('@novacron/telemetry/logger');
  const { AppModule } = await import('../../dist/app.module.js');
  const { FirstPosition } = await import('../../dist/consistency/first-position.js');
  const { GatewayReadiness } = await import('../../dist/gateway-readiness.js');
  const { GatewayAdapter } = await import('../../dist/http/gateway-adapter.js');
  const { serverOptions } = await import('../../dist/http/server-options.js');
  const { TokenVerifier } = await import('../../dist/auth/token-verifier.js');
  const { LimitSharing } = await import('../../dist/limits/limit-sharing.js');
  const { InvalidationListener } = await import('../../dist/reads/invalidation-listener.js');

  const logger = createLogger('gateway', 'silent');
  await startTelemetry({
    service: 'gateway',
    traceRatio: Number(process.env['TRACE_RATIO'] ?? 0.01),
    logger,
  });
  const cache = new Cache({ maxBytes: 64_000_000, l2: null, rules: changesOf });
  let lsn = 1_000n;
  const beat = () => cache.coherence.onWatermark(0, { systemId: '7', timeline: 1, lsn: (lsn += 100n) });
  setInterval(beat, 100);
  beat();
  beat();
  const one = Buffer.from(JSON.stringify(VM(1)));
  const list = Buffer.from(
    JSON.stringify({ items: Array.from({ length: 50 }, (_, i) => VM(i)), nextCursor: null }),
  );
  const position = () => ({ position: `7.1.${lsn}`, holds: `7.1.${lsn}`, servedFrom: 'replica' });
  const rpc = {
    request: async () => ({ body: VM(1), version: 1, ...position() }),
    requestRaw: async ({ subject }: { subject: string }) => ({
      ...(subject.endsWith('list') ? { body: list } : { body: one, version: 4 }),
      ...position(),
    }),
  };
  const caller = {
    tenantId: TENANT,
    tenantName: 'bench',
    principal: 'token:bench',
    credentialId: 'bench',
    roles: ['owner'],
    // With a limit, so that what counting costs is in the figure.
    ratePerSecond: 1_000_000,
  };
  const config = {
    http: { corsOrigins: [] },
    redis: {},
    waits: {},
    metricTimes: {},
    keys: { consistency: Buffer.alloc(32), tokenHash: Buffer.alloc(32) },
  };
  const values: [string | symbol | (new (...args: never[]) => object), unknown][] = [
    [TOKENS.config, config],
    [TOKENS.logger, logger],
    [TOKENS.nats, {}],
    [TOKENS.jetStream, {}],
    [TOKENS.systemDatabase, {}],
    [DrainCoordinator, new DrainCoordinator(logger)],
    [Readiness, new Readiness()],
    [Replication, {}],
    [RpcClient, rpc],
  ];
  const kit = {
    module: class Kit {},
    global: true,
    providers: values.map(([provide, useValue]) => ({ provide, useValue })),
    exports: values.map(([provide]) => provide),
  };
  const module = Test.createTestingModule({ imports: [kit, AppModule] })
    .overrideProvider(Cache)
    .useValue(cache)
    .overrideProvider(TokenVerifier)
    .useValue(
      new TokenVerifier(Buffer.alloc(32), async () => ({ caller: caller as never, expiresAt: null })),
    );
  for (const idle of [FirstPosition, GatewayReadiness, LimitSharing, InvalidationListener])
    module.overrideProvider(idle).useValue({});
  const adapter = new GatewayAdapter({ ...serverOptions, skipMiddie: true });
  if (process.env['TELEMETRY'] !== 'off') httpTelemetry(adapter.getInstance() as never, logger);
  const app = (await module.compile()).createNestApplication(adapter, { bodyParser: false, logger: false });
  await app.listen(0, '127.0.0.1');
  process.send?.({ port: (app.getHttpServer().address() as { port: number }).port });
}

/** Answers every request with one head and body, which it receives from its parent. */
function bare(): void {
  let answer: { status: number; head: string[]; body: Buffer | undefined };
  process.on('message', (told: { status?: number; head: string[]; body: string }) => {
    if (told.status === undefined) return;
    const body = told.status === 304 ? undefined : Buffer.from(told.body, 'base64');
    answer = { status: told.status, head: told.head, body };
    process.send?.('ready');
  });
  const server = createServer((_request, response) => {
    response.writeHead(answer.status, answer.head);
    response.end(answer.body);
  });
  server.keepAliveTimeout = 72_000;
  server.listen(0, '127.0.0.1', () => {
    process.send?.({ port: (server.address() as { port: number }).port });
  });
}

function head(path: string, fields: Record<string, string>): string {
  const lines = Object.entries({ host: 'localhost', authorization: `Bearer ${TOKEN}`, ...fields });
  return `GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** Asks `requests` times over 16 connections, one at a time on each; every answer has `size` bytes. */
function load(port: number, request: string, size: number, requests: number): Promise<void> {
  const bytes = Buffer.from(request);
  let left = requests;
  let open = 0;
  return new Promise((resolve, reject) => {
    for (let i = 0; i < 16; i += 1) {
      let got = 0;
      open += 1;
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      const next = () => {
        if (left-- > 0) return socket.write(bytes);
        socket.end();
        if (--open === 0) resolve();
        return true;
      };
      socket.on('connect', next);
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        got += chunk.length;
        if (got > size)
          reject(
            new Error(`an answer of ${got} bytes instead of ${size}:\n${chunk.toString().slice(0, 900)}`),
          );
        if (got === size) {
          got = 0;
          next();
        }
      });
    }
  });
}

async function sizeOf(port: number, request: string): Promise<number> {
  const socket = connect(port, '127.0.0.1');
  let got = 0;
  socket.on('data', (chunk) => (got += chunk.length));
  socket.write(request);
  await new Promise((resolve) => setTimeout(resolve, 400));
  socket.destroy();
  return got;
}

async function start(what: string, execArgv: string[] = []): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(new URL(import.meta.url), [what], {
    execArgv: ['--disable-warning=ExperimentalWarning', ...execArgv],
  });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port };
}

async function measured(
  child: ChildProcess,
  work: () => Promise<void>,
  requests: number,
  [begin, end] = ['start', 'stop'],
): Promise<Cost> {
  child.send(begin as string);
  await work();
  child.send(end as string);
  const [cost] = (await once(child, 'message')) as [Cost];
  return {
    cpuMicros: cost.cpuMicros / requests,
    allocated: cost.allocated / requests,
    gcMicros: cost.gcMicros / requests,
  };
}

async function main(rounds: number, requests: number, json: boolean): Promise<void> {
  const prof = process.env['CPU_PROF'];
  const ours = await start('gateway', prof ? ['--cpu-prof', `--cpu-prof-dir=${prof}`] : []);
  const theirs = await start('bare');
  const only = process.env['CASE'];
  for (const name of Object.keys(CASES) as Case[]) {
    if (only && name !== only) continue;
    const path = CASES[name];
    const url = `http://127.0.0.1:${ours.port}${path}`;
    const authorization = `Bearer ${TOKEN}`;
    await (await fetch(url, { headers: { authorization } })).arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, 600));
    const first = await fetch(url, { headers: { authorization } });
    const body = Buffer.from(await first.arrayBuffer());
    if (first.headers.get('novacron-served-from') !== 'l1') throw new Error('not from the L1');
    const fields: Record<string, string> = {
      'novacron-consistency-token': first.headers.get('novacron-consistency-token') as string,
      'x-request-id': 'a'.repeat(36),
    };
    if (name === 'unchanged') fields['if-none-match'] = first.headers.get('etag') as string;
    const request = head(path, fields);
    const own = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding']);
    const answer = await fetch(url, { headers: { authorization, ...fields } });
    const sent = [...answer.headers].filter(([field]) => !own.has(field)).flat();
    await answer.arrayBuffer();
    theirs.child.send({ status: answer.status, head: sent, body: body.toString('base64') });
    await once(theirs.child, 'message');
    const sizes = { ours: await sizeOf(ours.port, request), theirs: await sizeOf(theirs.port, request) };
    const costs: { ours: Cost[]; theirs: Cost[] } = { ours: [], theirs: [] };
    for (let round = -1; round < rounds; round += 1) {
      for (const [who, server] of [
        ['ours', ours],
        ['theirs', theirs],
      ] as const) {
        const cost = await measured(
          server.child,
          () => load(server.port, request, sizes[who], requests),
          requests,
        );
        // The first round warms up.
        if (round >= 0) costs[who].push(cost);
      }
    }
    const allocated = async (who: 'ours' | 'theirs', { child, port }: typeof ours) =>
      (
        await measured(child, () => load(port, request, sizes[who], requests), requests, [
          'sample',
          'sampled',
        ])
      ).allocated;
    const bytes = { ours: await allocated('ours', ours), theirs: await allocated('theirs', theirs) };
    const median = (who: 'ours' | 'theirs', of: keyof Cost) =>
      costs[who].map((cost) => cost[of]).sort((a, b) => a - b)[Math.floor(rounds / 2)] as number;
    if (json) {
      const of = (who: 'ours' | 'theirs') => ({
        cpuMicros: costs[who].map((cost) => cost.cpuMicros),
        gcMicros: costs[who].map((cost) => cost.gcMicros),
        allocated: bytes[who],
      });
      process.stdout.write(`${JSON.stringify({ name, ours: of('ours'), theirs: of('theirs') })}\n`);
      continue;
    }
    const row = (who: 'ours' | 'theirs') => ({
      'CPU µs': median(who, 'cpuMicros').toFixed(1),
      'bytes allocated': Math.round(bytes[who]),
      'GC µs': median(who, 'gcMicros').toFixed(2),
      'bytes sent': sizes[who],
    });
    const ratio = median('theirs', 'cpuMicros') / median('ours', 'cpuMicros');
    process.stdout.write(`${name}: ${ratio.toFixed(2)}× of a bare node:http server\n`);
    for (const who of ['ours', 'theirs'] as const)
      process.stdout.write(`  ${who}: ${JSON.stringify(row(who))}\n`);
  }
  ours.child.kill('SIGTERM');
  theirs.child.kill();
}

const [what = '', n = ''] = process.argv.slice(2).filter((argument) => argument !== '--json');
if (what === 'gateway' || what === 'bare') {
  meter();
  process.on('SIGTERM', () => process.exit(0));
  await (what === 'gateway' ? gateway() : bare());
} else {
  await main(Number(what || 7), Number(n || 20_000), process.argv.includes('--json'));
}
