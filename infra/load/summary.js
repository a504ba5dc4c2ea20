// Summarises a run for both tools, from k6's figures or from ours under k6's names.
import { PARTS, THRESHOLDS } from './scenario.js';

/** k6's syntax: `p(95)<1000` is a condition on the value `p(95)`. */
const EXPRESSION = /^(p\(\d+\)|rate|count|max|med)\s*(<=|<|>=|>|==)\s*([\d.]+)$/;

const COMPARE = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
};

/** A missing figure fails its threshold, so a run without requests fails. */
function judged(metrics, metric, expression) {
  const [, figure, operator, bound] = EXPRESSION.exec(expression) ?? [];
  if (figure === undefined) throw new Error(`the threshold ${expression} of ${metric} is not understood`);
  const value = metrics[metric]?.[figure];
  return {
    metric,
    expression,
    value: value ?? null,
    ok: value !== undefined && COMPARE[operator](value, Number(bound)),
  };
}

/**
 * @param metrics k6's `values` of each metric, by its name: `{ http_req_failed: { rate: 0 }, … }`
 * @param facts of the run: tool, profile, url, run, users, seconds, …
 */
export function summarise(metrics, facts, demands) {
  const thresholds = Object.entries(THRESHOLDS[demands]).flatMap(([metric, expressions]) =>
    expressions.map((expression) => judged(metrics, metric, expression)),
  );
  const endpoints = Object.fromEntries(
    ['http_req_duration', ...PARTS]
      .filter((name) => metrics[name]?.count > 0)
      .map((name) => [name, metrics[name]]),
  );
  return {
    version: 1,
    ...facts,
    requests: metrics.http_reqs?.count ?? 0,
    perSecond: metrics.http_reqs?.rate ?? 0,
    failed: metrics.http_req_failed?.rate ?? 0,
    errors: metrics.errors?.rate ?? 0,
    checks: metrics.checks?.rate ?? 0,
    endpoints,
    thresholds,
    passed: thresholds.every(({ ok }) => ok),
  };
}

const ms = (value) =>
  value === undefined || value === null ? '' : value >= 100 ? value.toFixed(0) : value.toPrecision(3);

function columns(rows) {
  const widths = rows[0].map((_, at) => Math.max(...rows.map((cells) => cells[at].length)));
  return rows.map((cells) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at]))
      .join('  ')
      .trimEnd(),
  );
}

/** The table for people. */
export function table(summary) {
  const { endpoints, thresholds } = summary;
  const figures = Object.entries(endpoints).map(([name, { count, med, max, ...rest }]) => [
    name
      .replace('http_req_duration', 'all')
      .replace(
        /^all\{endpoint:(\w+)(,peak:true)?\}/,
        (_, what, peak) => `${what}${peak ? ', most users' : ''}`,
      ),
    String(count),
    ...[med, rest['p(95)'], rest['p(99)'], max].map(ms),
  ]);
  const shown = ({ metric, value }) =>
    value === null
      ? 'nothing'
      : metric.includes('duration')
        ? `${ms(value)} ms`
        : String(Number(value.toPrecision(3)));
  const held = thresholds.map((one) => [one.ok ? 'ok' : 'FAILED', one.metric, one.expression, shown(one)]);
  const percent = (share) => `${Number((share * 100).toPrecision(3))} %`;
  return [
    ...columns([['milliseconds', 'requests', 'p50', 'p95', 'p99', 'max'], ...figures]),
    '',
    ...columns([['threshold', 'of', 'is', 'was'], ...held]),
    '',
    `${summary.tool}, profile ${summary.profile}, up to ${summary.users} users, ${summary.seconds.toFixed(0)} s: ` +
      `${summary.requests} requests, ${summary.perSecond.toFixed(1)}/s, ` +
      `failed ${percent(summary.failed)}, not as due ${percent(summary.errors)}, checks ${percent(summary.checks)}`,
    '',
  ].join('\n');
}
