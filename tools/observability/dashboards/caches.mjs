import { dashboard, graph, quantile, rate, stat } from './build.mjs';

const GATEWAY = 'job="gateway",instance=~"$instance"';
const TELLER = 'job="cache-invalidator"';
const hits = rate('novacron_cache_hits_total', GATEWAY);
const misses = rate('novacron_cache_misses_total', GATEWAY);

export const caches = dashboard({
  uid: 'novacron-caches',
  title: 'NovaCron caches',
  description: 'L1 of the gateways, Redis, and who keeps them right.',
  variables: { instance: 'label_values(novacron_cache_l1_entries{job="gateway"}, instance)' },
  rows: {
    'At a glance': [
      stat('Answered by a cache', 'percentunit', `${hits} / (${hits} + ${misses})`, { max: 1 }),
      stat('Wrong answers, ever', 'short', 'sum(novacron_cache_stale_reads_total)', {
        thresholds: { red: 1 },
      }),
      stat('Redis', 'short', 'max(novacron_cache_l2_available)', {
        thresholds: { red: 0, green: 1 },
        max: 1,
      }),
      stat('Oldest change untold', 's', 'max(novacron_cache_oldest_pending_invalidation_seconds)', {
        thresholds: { orange: 1, red: 5 },
      }),
      stat('Watermark', 's', 'max(novacron_cache_watermark_age_seconds)', {
        thresholds: { orange: 1, red: 5 },
        description: 'Since it last moved, at the gateway that is furthest behind.',
      }),
      stat('Instances that lead', 'short', 'sum(novacron_cache_ledger_leader)', {
        thresholds: { red: 0, green: 1, orange: 2 },
      }),
    ],
    'Reads of the gateways': [
      graph('Answers', 'reqps', {
        '{{level}}': rate('novacron_cache_hits_total', GATEWAY, ['level']),
        'owning service': misses,
        "another's load": rate('novacron_cache_flights_joined_total', GATEWAY),
        'before the end of a TTL': rate('novacron_cache_refreshes_total', GATEWAY),
        'old state for eventual readers': rate('novacron_cache_stale_while_down_total', GATEWAY),
      }),
      graph('L1: entries', 'short', { '{{instance}}': `novacron_cache_l1_entries{${GATEWAY}}` }),
      graph('L1: bytes', 'bytes', { '{{instance}}': `novacron_cache_l1_bytes{${GATEWAY}}` }),
      graph('L1: entries that went', 'ops', {
        'removed by an event': rate('novacron_cache_l1_invalidations_total', GATEWAY),
        'made room': rate('novacron_cache_l1_evictions_total', GATEWAY),
        'all dropped': rate('novacron_cache_l1_drops_total', GATEWAY),
      }),
      graph('Age of the watermark', 's', {
        '{{instance}}': `novacron_cache_watermark_age_seconds{${GATEWAY}}`,
      }),
      graph('Redis did not answer in time', 'ops', {
        '{{instance}}': rate('novacron_cache_l2_failures_total', GATEWAY, ['instance']),
      }),
    ],
    Invalidation: [
      graph('Until every L1 is told, 99th percentile', 's', {
        'since {{since}}': quantile(0.99, 'novacron_cache_invalidation_duration_seconds', TELLER, ['since']),
      }),
      graph('Events', 'ops', {
        'told to the caches': rate('novacron_cache_invalidations_total', TELLER),
        'heard by gateways': rate('novacron_cache_events_heard_total', GATEWAY),
        'tombstones in Redis': rate('novacron_cache_tombstones_total', TELLER),
      }),
      graph('Events of the stream', 'ops', {
        '{{kind}}': rate('novacron_cache_events_total', TELLER, ['kind']),
        'of a lost history': rate('novacron_cache_lost_events_total', TELLER),
        'no events': rate('novacron_cache_malformed_events_total', TELLER),
        'no watermarks': rate('novacron_cache_malformed_watermarks_total', TELLER),
      }),
      graph('Ledger', 'short', {
        missing: `max(novacron_cache_ledger_missing_events{${TELLER}})`,
        behind: `max(novacron_cache_ledger_lag_events{${TELLER}})`,
      }),
      graph('Oldest hole of the ledger', 's', {
        age: `max(novacron_cache_ledger_oldest_hole_age_seconds{${TELLER}})`,
      }),
      graph('Redis is owed', 'short', {
        'tombstones that wait': `sum(novacron_cache_owed_tombstones{${TELLER}})`,
        'forgotten, ever': `sum(novacron_cache_forgotten_tombstones_total{${TELLER}})`,
      }),
    ],
    Checker: [
      graph('Cached answers held against the truth', 'ops', {
        checked: rate('novacron_cache_checks_total', TELLER),
        'not judged': rate('novacron_cache_checks_unjudged_total', TELLER),
      }),
      graph('Wrong', 'short', { '{{level}}': 'sum by (level) (novacron_cache_stale_reads_total)' }),
      graph('Events fetched, as the stream did not bring them', 'ops', {
        fetched: rate('novacron_cache_ledger_fetched_total', TELLER),
      }),
    ],
  },
});
