import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import { withStack, type BenchStack } from './bench-stack.js';
import type { Benchmark, Measurement } from './benchmark.js';
import { cpuUse } from './cpu.js';
import { median } from './stats.js';

/** CPU of the gateway that one request below the size limits may cost. */
const MOST_MS = 50;
const MIB = 1_048_576;

interface Hostile {
  readonly name: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The request is valid work: its figure has no target. */
  readonly accepted?: boolean;
}

const CREATE = '/api/v1/vms';
const INGEST = '/api/v1/metrics/ingest';
/** As many as the gateway reads of a list of entity tags. */
const BLANKS = ' '.repeat(7_900);
const GUIDE = { name: 'web-1', config: { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' } };

const fields = (n: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`${i}`, 0]));
const create = (more: object): string => JSON.stringify({ ...GUIDE, ...more });

function push(point: (i: number) => unknown): string {
  const series = Array.from({ length: 200 }, (_, s) => ({
    vmId: randomUUID(),
    metric: `m${s}`,
    points: Array.from({ length: 1_000 }, (_p, i) => point(i)),
  }));
  return JSON.stringify({ series });
}

/** Requests below the size limits with as many errors as fit. */
function requests(): readonly Hostile[] {
  const now = Date.now();
  const unknown = Array.from({ length: 600_000 }, (_, i) => `"f${i}":1`).join(',');
  return [
    { name: 'tags-90000', path: CREATE, body: create({ tags: fields(90_000) }) },
    { name: 'fields-1000', path: CREATE, body: create(fields(990)) },
    {
      name: 'values-5000',
      path: CREATE,
      body: create({ tags: Array(4).fill(fields(990)), sshKeys: fields(980) }),
    },
    { name: 'string-1-mib', path: CREATE, body: create({ name: 'A'.repeat(MIB - 1_000) }) },
    { name: 'brackets-8-mib', path: INGEST, body: '['.repeat(8 * MIB - 100) },
    { name: 'fields-8-mib', path: INGEST, body: `{"series":[],${unknown}}`.slice(0, 8 * MIB - 100) },
    { name: 'series-50000', path: INGEST, body: JSON.stringify({ series: Array(50_000).fill({}) }) },
    { name: 'not-json-8-mib', path: INGEST, body: `"${'x'.repeat(8 * MIB - 100)}` },
    {
      name: 'parameters-100',
      path: `${CREATE}?${Array.from({ length: 100 }, (_, i) => `p${i}=1`).join('&')}`,
    },
    { name: 'parameters-many', path: `${CREATE}?${'a&'.repeat(7_000)}` },
    { name: 'list-in-parameter', path: `${CREATE}?state=${'x,'.repeat(7_000)}` },
    { name: 'blanks-in-tags', path: '/openapi.json', headers: { 'if-none-match': `,${BLANKS}x` } },
    {
      name: 'blanks-in-tags-of-a-vm',
      path: `${CREATE}/${randomUUID()}`,
      headers: { 'if-none-match': `,${BLANKS}x` },
    },
    { name: 'bad-points-200000', path: INGEST, body: push(() => ['x', 0]), accepted: true },
    { name: 'good-points-200000', path: INGEST, body: push((i) => [now - i, i]), accepted: true },
  ];
}

async function cost(stack: BenchStack, one: Hostile, times: number): Promise<number> {
  const gateway = (): number => cpuUse(stack.process)['gateway'] ?? 0;
  const before = gateway();
  for (let i = 0; i < times; i++) {
    const { body } = await request(stack.process.url + one.path, {
      method: one.body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${stack.process.token}`,
        ...(one.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...one.headers,
      },
      body: one.body ?? null,
    });
    await body.dump();
  }
  return (gateway() - before) / times;
}

export const refusals: Benchmark = {
  name: 'refusals',
  about: `CPU of the gateway for requests with as many errors as fit, at most ${MOST_MS} ms each`,
  run: (context) =>
    withStack(context, {}, async (stack) => {
      const [rounds, times] = context.quick ? [1, 5] : [5, 20];
      const all = requests();
      for (const one of all) await cost(stack, one, 3);
      const samples = all.map((): number[] => []);
      for (let round = 0; round < rounds; round++)
        for (const [at, one] of all.entries()) samples[at]?.push(await cost(stack, one, times));
      return all.map(({ name, accepted }, at): Measurement => {
        const own = samples[at] ?? [];
        const figure = { name: `refusals.${name}`, value: median(own), unit: 'ms', samples: own };
        return accepted ? figure : { ...figure, target: { of: 'value', atMost: MOST_MS } };
      });
    }),
};
