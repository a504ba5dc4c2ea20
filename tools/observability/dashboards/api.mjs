import { dashboard, graph, quantile, rate, stat, table } from './build.mjs';

const REQUESTS = 'http_request_duration_seconds';
const OURS = 'job="gateway",instance=~"$instance"';
const SHORT = `${OURS},wait=""`;
const burn = (of, budget) =>
  Object.fromEntries(
    ['5m', '1h', '6h', '3d'].map((span) => [span, `job:http_requests_${of}:ratio_rate${span} / ${budget}`]),
  );

export const api = dashboard({
  uid: 'novacron-api',
  title: 'NovaCron API',
  description: 'What callers of the gateways get, and how fast.',
  variables: { instance: `label_values(${REQUESTS}_count{job="gateway"}, instance)` },
  rows: {
    'Objectives: 99.9 % of requests without a 5xx, 99 % within 0.5 s': [
      stat('Availability, 3 days', 'percentunit', '1 - job:http_requests_failed:ratio_rate3d', {
        thresholds: { red: 0, green: 0.999 },
        max: 1,
      }),
      stat('Error budget left', 'percentunit', '1 - job:http_requests_failed:ratio_rate3d / 0.001', {
        thresholds: { red: 0, orange: 0.001, green: 0.25 },
        min: -1,
        max: 1,
        description: 'Of the budget that three days have; below 0 it is overdrawn.',
      }),
      stat('Within 0.5 s, 3 days', 'percentunit', '1 - job:http_requests_slow:ratio_rate3d', {
        thresholds: { red: 0, green: 0.99 },
        max: 1,
      }),
      stat('Latency budget left', 'percentunit', '1 - job:http_requests_slow:ratio_rate3d / 0.01', {
        thresholds: { red: 0, orange: 0.001, green: 0.25 },
        min: -1,
        max: 1,
      }),
      stat('Requests', 'reqps', rate(`${REQUESTS}_count`, OURS)),
      stat('Gateways', 'short', 'count(up{job="gateway"} == 1)', { thresholds: { red: 0, green: 1 } }),
      graph('Availability: rate at which the budget burns', 'short', burn('failed', '0.001'), {
        w: 12,
        description: '1: as fast as it is filled. Alerts at 14.4 (1 h), 6 (6 h) and 1 (3 d).',
      }),
      graph('Latency: rate at which the budget burns', 'short', burn('slow', '0.01'), { w: 12 }),
    ],
    Requests: [
      graph('API response times', 's', {
        '95th percentile': quantile(0.95, REQUESTS, SHORT),
        '99th percentile': quantile(0.99, REQUESTS, SHORT),
        '50th percentile': quantile(0.5, REQUESTS, SHORT),
      }),
      graph('Requests by status', 'reqps', {
        '{{status_code}}': rate(`${REQUESTS}_count`, OURS, ['status_code']),
      }),
      graph('Failed, by endpoint', 'reqps', {
        '{{method}} {{endpoint}} {{status_code}}': `topk(10, ${rate(`${REQUESTS}_count`, `${OURS},status_code=~"5.."`, ['method', 'endpoint', 'status_code'])})`,
      }),
      graph('Slowest endpoints, 99th percentile', 's', {
        '{{endpoint}}': `topk(8, ${quantile(0.99, REQUESTS, SHORT, ['endpoint'])})`,
      }),
      graph('Active connections', 'short', { '{{instance}}': `http_active_connections{${OURS}}` }),
      graph('Requests by gateway', 'reqps', {
        '{{instance}}': rate(`${REQUESTS}_count`, OURS, ['instance']),
      }),
      table('Endpoints', {
        'requests/s': ['reqps', rate(`${REQUESTS}_count`, OURS, ['method', 'endpoint'])],
        p95: ['s', quantile(0.95, REQUESTS, OURS, ['method', 'endpoint'])],
        p99: ['s', quantile(0.99, REQUESTS, OURS, ['method', 'endpoint'])],
      }),
    ],
    'Behind the gateways': [
      graph('Requests to other services, 95th percentile', 's', {
        '{{subject}}': `topk(8, ${quantile(0.95, 'novacron_rpc_duration_seconds', `${OURS},side="client"`, ['subject'])})`,
      }),
      graph('Requests to other services, by answer', 'reqps', {
        '{{code}}': rate('novacron_rpc_duration_seconds_count', `${OURS},side="client"`, ['code']),
      }),
      graph('Reads, by what answered', 'reqps', {
        '{{level}}': rate('novacron_cache_hits_total', OURS, ['level']),
        'owning service': rate('novacron_cache_misses_total', OURS),
      }),
    ],
  },
});
