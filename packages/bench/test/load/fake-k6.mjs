// Runs infra/load/k6.js on machines without k6: its modules, as far as the script uses them, with real requests. Two
// users make three iterations each, all of which create, without thinking. Prints what handleSummary returns.
import { execFileSync } from 'node:child_process';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const CALL = `
  const [method, url, body, headers] = JSON.parse(process.argv[1]);
  const begun = performance.now();
  const answer = await fetch(url, { method, headers, ...(body === null ? {} : { body }) });
  const text = await answer.text();
  console.log(JSON.stringify({ status: answer.status, text, duration: performance.now() - begun }));
`;
const requests = [];
const rates = new Map();

/** k6's are synchronous. */
function call(method, url, body, { headers, tags }) {
  const args = ['--input-type=module', '-e', CALL, JSON.stringify([method, url, body, headers])];
  const { status, text, duration } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  requests.push({ status, duration, tags });
  return { status, timings: { duration }, json: () => JSON.parse(text) };
}

class Rate {
  constructor(name) {
    rates.set(name, (this.added = []));
  }
  add(value) {
    this.added.push(Number(value));
  }
}
const checks = new Rate('checks');

globalThis.k6 = {
  k6: {
    check: (value, sets) => Object.values(sets).forEach((holds) => checks.add(holds(value))),
    sleep: () => undefined,
  },
  'k6/http': {
    default: {
      get: (url, params) => call('GET', url, null, params),
      post: (url, body, params) => call('POST', url, body, params),
      del: (url, body, params) => call('DELETE', url, body, params),
    },
  },
  'k6/metrics': { Rate },
  'k6/execution': { default: { instance: { currentTestRunDuration: 2_000 } } },
};
globalThis.__ENV = process.env;
registerHooks({
  resolve: (name, context, next) =>
    name in globalThis.k6 ? { url: `k6:${name}`, shortCircuit: true } : next(name, context),
  load(url, context, next) {
    if (!url.startsWith('k6:')) return next(url, context);
    const name = url.slice(3);
    const names = Object.keys(globalThis.k6[name]);
    const lines = names.map((one) =>
      one === 'default' ? `export default all.default;` : `export const ${one} = all.${one};`,
    );
    const source = `const all = globalThis.k6[${JSON.stringify(name)}];\n${lines.join('\n')}`;
    return { format: 'module', source, shortCircuit: true };
  },
});

const root = join(import.meta.dirname, '..', '..', '..', '..');
const script = await import(pathToFileURL(join(root, 'infra', 'load', 'k6.js')));
Math.random = () => 0.05;
const data = script.setup();
for (globalThis.__VU = 1; globalThis.__VU <= 2; globalThis.__VU += 1)
  for (globalThis.__ITER = 0; globalThis.__ITER < 3; globalThis.__ITER += 1) script.default(data);
script.teardown(data);

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
/** Of each metric that k6 always has, or that a threshold names. */
function valuesOf(name) {
  const [, base = name, tags = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(name) ?? [];
  if (rates.has(base)) return { rate: mean(rates.get(base)) };
  const wanted = Object.fromEntries(
    tags
      .split(',')
      .filter(Boolean)
      .map((tag) => tag.split(':')),
  );
  const of = requests.filter((one) =>
    Object.entries(wanted).every(([key, value]) => one.tags[key] === value),
  );
  if (base === 'http_reqs') return { count: of.length, rate: of.length };
  if (base === 'http_req_failed')
    return { rate: mean(of.map(({ status }) => Number(status < 200 || status > 399))) };
  const sorted = of.map(({ duration }) => duration).sort((a, b) => a - b);
  const max = sorted.at(-1) ?? 0;
  return { count: of.length, med: sorted[Math.floor(of.length / 2)] ?? 0, 'p(95)': max, 'p(99)': max, max };
}
const names = [...Object.keys(script.options.thresholds), 'http_reqs', 'checks'];
const metrics = Object.fromEntries(names.map((name) => [name, { values: valuesOf(name) }]));
metrics.vus_max = { values: { max: 2 } };
const summary = script.handleSummary({ metrics, state: { testRunDurationMs: 6_000 } });
process.stdout.write(JSON.stringify({ summary, options: script.options }));
