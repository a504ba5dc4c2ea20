// The guide's scenario for k6:
//   k6 run -e BASE_URL=http://127.0.0.1:8080 -e AUTH_TOKEN=... infra/load/k6.js
// PROFILE=guide|short|rolling|smoke, DEMANDS=guide|lossless|strict, RESULTS=file.
import { check, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Rate } from 'k6/metrics';
import {
  atPeak,
  CHECKS,
  creates,
  DUE,
  namePrefix,
  newRun,
  newVm,
  PARTS,
  PROFILES,
  thinkTime,
  THRESHOLDS,
} from './scenario.js';
import { summarise, table } from './summary.js';

const BASE_URL = __ENV.BASE_URL || 'http://127.0.0.1:8080';
const PROFILE = __ENV.PROFILE || 'guide';
const DEMANDS = __ENV.DEMANDS || 'guide';
const stages = PROFILES[PROFILE];
if (stages === undefined)
  throw new Error(`PROFILE is one of ${Object.keys(PROFILES).join(', ')}, not ${PROFILE}`);
if (THRESHOLDS[DEMANDS] === undefined)
  throw new Error(`DEMANDS is one of ${Object.keys(THRESHOLDS).join(', ')}, not ${DEMANDS}`);
if (!__ENV.AUTH_TOKEN) throw new Error('AUTH_TOKEN must be an API token');

const errors = new Rate('errors');
const headers = { Authorization: `Bearer ${__ENV.AUTH_TOKEN}`, 'Content-Type': 'application/json' };

/** Declares a threshold for each part of the report, so that k6 keeps its figures. */
const shown = Object.fromEntries(PARTS.map((part) => [part, ['max>=0']]));

export const options = {
  stages,
  thresholds: { ...shown, ...THRESHOLDS[DEMANDS] },
  summaryTrendStats: ['count', 'med', 'p(95)', 'p(99)', 'max'],
  teardownTimeout: '15m',
};

export function setup() {
  return { run: newRun() };
}

function judge(endpoint, response) {
  const checks = Object.entries(CHECKS[endpoint]).map(([name, holds]) => [
    name,
    (answer) => holds(answer.status, answer.timings.duration),
  ]);
  check(response, Object.fromEntries(checks));
  errors.add(response.status !== DUE[endpoint]);
}

export default function ({ run }) {
  const peak = String(atPeak(stages, exec.instance.currentTestRunDuration / 1000));
  const params = (endpoint) => ({ headers, tags: { endpoint, peak } });
  judge('list', http.get(`${BASE_URL}/api/v1/vms`, params('list')));
  if (creates()) {
    const body = JSON.stringify(newVm(run, __VU, __ITER));
    judge('create', http.post(`${BASE_URL}/api/v1/vms`, body, params('create')));
  }
  sleep(thinkTime());
}

/** Deletes what the run created. */
export function teardown({ run }) {
  const params = { headers, tags: { endpoint: 'cleanup', peak: 'false' } };
  for (let cursor = ''; cursor !== null;) {
    const more = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = http.get(`${BASE_URL}/api/v1/vms?limit=500&namePrefix=${namePrefix(run)}${more}`, params);
    if (page.status !== 200) throw new Error(`the list for the clean-up was answered ${page.status}`);
    const { items, nextCursor } = page.json();
    for (const { id } of items) http.del(`${BASE_URL}/api/v1/vms/${id}`, null, params);
    cursor = nextCursor;
  }
}

export function handleSummary({ metrics, state }) {
  const values = Object.fromEntries(Object.entries(metrics).map(([name, metric]) => [name, metric.values]));
  const facts = {
    tool: 'k6',
    at: new Date().toISOString(),
    profile: PROFILE,
    url: BASE_URL,
    users: values.vus_max?.max ?? 0,
    seconds: state.testRunDurationMs / 1000,
  };
  const summary = summarise(values, facts, DEMANDS);
  const file = __ENV.RESULTS || 'load-results.json';
  return { stdout: table(summary), [file]: `${JSON.stringify(summary, null, 2)}\n` };
}
