import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '@novacron/local-stack/config';
import { note } from '@novacron/testkit/note';
import { environmentOf, type TestStack, useTestStack } from '@novacron/testkit/stack';
import { readUntil } from '@novacron/testkit/wait';
import { Api, guideBody, type VmBody } from './support/api.js';
import { hostsOf } from './support/burst.js';
import { OtlpReceiver, type ReceivedSpan } from './support/otlp-receiver.js';
import { recordedDays, stepSeconds } from './support/recorded-day.js';

let collector: OtlpReceiver;
let stack: TestStack;
let api: Api;

beforeAll(async () => {
  collector = await OtlpReceiver.listen();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    NOVACRON_TRACE_RATIO: '1',
    OTEL_BSP_SCHEDULE_DELAY: '500',
  };
  stack = await useTestStack({ simHosts: 2, replica: false, env });
  api = new Api(stack.url, stack.token);
});

afterAll(async () => {
  await stack?.remove();
  await collector?.close();
});

async function running(body: { name: string }): Promise<VmBody> {
  const created = await api.create(body);
  expect(created).toMatchObject({ status: 201 });
  const reached = await api.wait(created.body.id, 'running');
  expect(reached).toMatchObject({ status: 200 });
  return reached.body;
}

describe('one trace', () => {
  const traceId = randomBytes(16).toString('hex');

  it('contains a whole create below the request: gateway, orchestrator and agent', async () => {
    const traceparent = `00-${traceId}-${randomBytes(8).toString('hex')}-01`;
    const created = await api.create(guideBody('traced-1'), { traceparent });
    await api.wait(created.body.id, 'running');
    const services = ['gateway', 'orchestrator', 'host-agent'];
    const seen = (spans: ReceivedSpan[]) =>
      services.every((name) => spans.some(({ service }) => service === name));
    const spans = await readUntil(async () => collector.trace(traceId), seen);
    // Children are exported before the parents that outlast them.
    const known = () => new Set(collector.trace(traceId).map(({ spanId }) => spanId));
    const orphans = async () =>
      collector.trace(traceId).filter(({ parentSpanId }) => parentSpanId && !known().has(parentSpanId));
    expect(await readUntil(orphans, (left) => left.length === 1)).toMatchObject([{ service: 'gateway' }]);
    note(
      `one create is ${spans.length} spans of ${new Set(spans.map(({ service }) => service)).size} services`,
    );
  });

  /** The services and span names on the path from the root to a span. */
  async function wayTo(fits: (span: ReceivedSpan) => boolean): Promise<string[]> {
    const find = async () => collector.trace(traceId).find(fits);
    const span = await readUntil(find, (found) => found !== undefined, 60_000);
    const way = span === undefined ? [] : collector.ancestry(span);
    return way.map(({ service, name }) => `${service}: ${name}`);
  }
  const request = [
    'gateway: POST /api/v1/vms',
    'gateway: request rpc.orchestrator.vms.create',
    'orchestrator: serve rpc.orchestrator.vms.create',
  ];

  it('leads by NATS from the gateway to the orchestrator, and from its job by NATS to the agent', async () => {
    expect(await wayTo(({ service }) => service === 'host-agent')).toEqual([
      ...request,
      'orchestrator: step create.provision',
      'orchestrator: request agents.*.command',
      'host-agent: serve agents.*.command',
    ]);
  });

  it('reaches into Postgres, from the request and from its job', async () => {
    const query = (name: string) => (span: ReceivedSpan) =>
      span.name === name && span.attributes['db.system.name'] === 'postgresql';
    expect(await wayTo(query('insert vms'))).toEqual([...request, 'orchestrator: insert vms']);
    expect(await wayTo(query('insert placements'))).toEqual([
      ...request,
      'orchestrator: step create.place',
      'orchestrator: insert placements',
    ]);
  });

  it('has its id in the logs of the services', async () => {
    const lines = () =>
      stack
        .log('vm-orchestrator')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { traceId?: string; msg: string });
    expect(lines().some((line) => /^[0-9a-f]{32}$/.test(line.traceId ?? ''))).toBe(true);
    const refused = randomBytes(16).toString('hex');
    await api.get(`/api/v1/vms/${'0'.repeat(8)}`, { traceparent: `00-${refused}-${'1'.repeat(16)}-01` });
    expect(
      await readUntil(
        async () => collector.trace(refused),
        (spans) => spans.length > 0,
      ),
    ).toMatchObject([{ service: 'gateway' }]);
  });
});

describe('the ops listeners', () => {
  /** Base of a component's ops listener, by its place in the documented ports. */
  const ops = (index: number) => `http://127.0.0.1:${Number(new URL(stack.url).port) - 8080 + 9100 + index}`;
  const metrics = async (index: number) => (await fetch(`${ops(index)}/metrics`)).text();

  it("serve metrics under the guide's names, with its labels and buckets", async () => {
    const gateway = await metrics(0);
    const request = /^http_request_duration_seconds_bucket\{.*\} \d+$/gm;
    const create =
      gateway
        .match(request)
        ?.filter(
          (line) =>
            line.includes('method="POST"') &&
            line.includes('endpoint="/api/v1/vms"') &&
            line.includes('status_code="201"'),
        ) ?? [];
    expect(create.map((line) => /le="([^"]+)"/.exec(line)?.[1])).toEqual([
      '0.005',
      '0.01',
      '0.025',
      '0.05',
      '0.1',
      '0.25',
      '0.5',
      '1',
      '2.5',
      '5',
      '10',
      '+Inf',
    ]);
    expect(gateway).toMatch(/^http_active_connections(\{\S*\})? \d+$/m);
    const orchestrator = await metrics(1);
    expect(orchestrator).toMatch(
      /^database_query_duration_seconds_bucket\{(?=.*query_type="insert")(?=.*table="vms").*\} \d+$/m,
    );
    expect(orchestrator).toMatch(/^database_active_connections\{.*\} \d+$/m);
  });

  it('tell health and readiness of every process', async () => {
    for (const index of [0, 1, 2, 3, 5]) {
      expect((await fetch(`${ops(index)}/health`)).status).toBe(200);
      expect((await fetch(`${ops(index)}/ready`)).status).toBe(200);
    }
  });
});

describe('a recorded day', () => {
  it('plays through a simulated fleet and comes back from the range query point for point', async () => {
    const machines = 20;
    const directory = join(stack.home, 'recorded-day');
    const { real, days } = await recordedDays(directory);
    const vms = await Promise.all(
      Array.from({ length: machines }, (_, index) => running(guideBody(`day-${index}`))),
    );
    const from = Math.floor(Date.now() / 86_400_000 - 1) * 86_400_000;
    const agent = environmentOf(stack.pid('host-agent-sim'));
    const replay = join(repositoryRoot, 'apps', 'host-agent', 'dist', 'replay.js');
    const since = Date.now();
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [replay, '--from', new Date(from).toISOString()],
      { env: { ...agent, NOVACRON_AGENT_SIM_TRACE: directory } },
    );
    const told = JSON.parse(stdout) as { vms: number; points: number };
    expect(told.points).toBe(told.vms * 288 * 2);

    const path = (id: string) =>
      `/api/v1/vms/${id}/metrics?metric=cpu_usage&metric=memory_usage&from=${from}&to=${from + 86_400_000}&step=${stepSeconds}&agg=last`;
    interface Range {
      series: { metric: string; timestamps: number[]; values: (number | null)[] }[];
    }
    const series = async (id: string) => (await api.get<Range>(path(id))).body.series;
    const whole = (all: Range['series']) =>
      all.length === 2 &&
      all.every(({ values }) => values.length === 288 && values.every((value) => value !== null));
    const timestamps = Array.from({ length: 288 }, (_, line) => from + line * stepSeconds * 1000);
    for (const [index, { id }] of vms.entries()) {
      const found = await readUntil(() => series(id), whole);
      const day = days[index % days.length];
      expect(found).toMatchObject([
        { metric: 'cpu_usage', timestamps, values: day?.cpu.slice(0, 288) },
        { metric: 'memory_usage', timestamps, values: day?.memory.slice(0, 288) },
      ]);
    }
    note(
      `${real ? 'recorded' : 'seeded'} day: ${told.points} points of ${told.vms} VMs written and read back in ${((Date.now() - since) / 1000).toFixed(1)} s`,
    );
  });
});

describe('a second host', () => {
  it('joins by one command and gets VMs', async () => {
    const joined = await stack.run('host', 'join', 'rack-7');
    expect(joined).toMatchObject({ code: 0, stderr: expect.stringContaining('rack-7') });
    const [host] = await readUntil(
      async () => (await hostsOf(stack)).filter(({ name, state }) => name === 'rack-7' && state === 'up'),
      ({ length }) => length === 1,
    );
    // Placement prefers the least loaded host, here the empty one.
    const vms = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        running({
          name: `joined-${index}`,
          config: { cpu: 1, memory: 256, disk: 1, image: 'alpine-3.20' },
        } as { name: string }),
      ),
    );
    expect(vms.filter(({ hostId }) => hostId === host?.id).length).toBeGreaterThan(0);
  });
});
