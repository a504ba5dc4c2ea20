import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { collectorFindings } from '../observability/collector.mjs';
import { observabilityFindings } from '../observability/findings.mjs';
import { FakeRepository } from './fake-repository.mjs';

const METRICS = {
  things_total: { type: 'counter', labels: ['kind'], jobs: ['gateway'] },
  work_seconds: { type: 'histogram', labels: ['table'], jobs: ['vm-orchestrator'] },
};
const GOOD = 'sum by (kind) (rate(things_total{job="gateway",instance=~"a.*"}[5m])) > 1';
const QUERIES = {
  'a metric that no service exports': ['rate(thing_total[5m])', /no service exports thing_total/],
  'a metric of a function’s second argument': [
    'histogram_quantile(0.9, rate(work_bucket[5m]))',
    /no service exports work_bucket/,
  ],
  'a label that a metric does not have': ['things_total{sort="a"}', /things_total has no label sort/],
  'a job that does not export it': [
    'things_total{job="host-agent"}',
    /host-agent does not export things_total/,
  ],
  'a label to group by that nothing has': ['sum by (sort) (things_total)', /the label sort/],
  'a histogram without its suffix': ['rate(work_seconds[5m])', /no service exports work_seconds/],
  'invalid PromQL': ['sum(rate(things_total[5m])', /invalid PromQL/],
};
const RIGHT = {
  'parts of a histogram':
    'histogram_quantile(0.9, sum by (le, table) (rate(work_seconds_bucket{le="1"}[5m])))',
  'what a rule records': 'kind:things:rate5m > 0.5',
  'node_exporter’s metrics': 'avg by (instance) (node_memory_MemAvailable_bytes{device="x"})',
  'Grafana’s variables': 'rate(things_total{job="$job",instance=~"$instance"}[$__rate_interval])',
};

let repository;
const rules = (list) => ({ groups: [{ name: 'g', rules: list }] });
const alertOf = (expr, more) => ({
  alert: 'Thing',
  expr,
  labels: { severity: 'page' },
  annotations: { summary: 's', runbook_url: 'docs/runbooks/Thing.md' },
  ...more,
});
const panelOf = (expr, more) => ({
  id: 1,
  title: 'Things',
  type: 'timeseries',
  targets: [{ expr, datasource: { type: 'prometheus', uid: 'novacron-prometheus' } }],
  ...more,
});
const record = { record: 'kind:things:rate5m', expr: 'sum by (kind) (rate(things_total[5m]))' };

function write({ expr = GOOD, alert, panel = panelOf(GOOD), dashboard = {}, cases = ['x', ''] }) {
  repository.write('infra/prometheus/metrics.generated.json', JSON.stringify(METRICS));
  repository.write('infra/prometheus/rules/a.yml', JSON.stringify(rules([record, alert ?? alertOf(expr)])));
  const tests = cases.map((fires) => ({
    alert_rule_test: [{ alertname: 'Thing', exp_alerts: fires ? [{ exp_labels: {} }] : [] }],
  }));
  repository.write('infra/prometheus/tests/a.test.yml', JSON.stringify({ tests }));
  const board = { uid: 'a', schemaVersion: 41, panels: [panel], ...dashboard };
  repository.write('infra/grafana/dashboards/a.json', JSON.stringify(board));
  repository.write(
    'docs/runbooks/Thing.md',
    '# Thing\n## What it means\n## What users see\n## How to look\n## What to do\n',
  );
}
const find = () => observabilityFindings(repository.folder);

function assertFinds(pattern) {
  const found = find();
  assert.equal(found.length, 1, found.join('\n'));
  assert.match(found[0], pattern);
}

beforeEach(() => (repository = new FakeRepository()));
afterEach(() => repository.remove());

for (const [what, [query, message]] of Object.entries(QUERIES)) {
  test(`${what} is found in a rule`, () => {
    write({ expr: query });
    assertFinds(message);
  });
  test(`${what} is found in a dashboard`, () => {
    write({ panel: panelOf(query) });
    assertFinds(message);
  });
}
for (const [what, query] of Object.entries(RIGHT)) {
  test(`${what} may be asked for`, () => {
    write({ expr: query, panel: panelOf(query) });
    assert.deepEqual(find(), []);
  });
}
test('a query in a row of panels, and one of a variable, are looked at too', () => {
  const variable = { type: 'query', name: 'job', query: { query: 'label_values(other_total, job)' } };
  const row = { id: 2, title: 'Row', type: 'row', panels: [panelOf('gone_total')] };
  write({ panel: row, dashboard: { templating: { list: [variable] } } });
  assert.equal(find().filter((finding) => /no service exports (gone|other)_total/.test(finding)).length, 2);
});
test('an alert needs its page and a page its alert', () => {
  write({});
  repository.write(
    'docs/runbooks/Other.md',
    '## What it means\n## What users see\n## How to look\n## What to do\n',
  );
  assertFinds(/Other.md: no alert of that name/);
  write({ alert: alertOf(GOOD, { annotations: { summary: 's', runbook_url: 'docs/runbooks/Else.md' } }) });
  assert.ok(find().some((finding) => /its runbook_url is not docs\/runbooks\/Thing.md/.test(finding)));
});
test('a page without one of its parts is found', () => {
  write({});
  repository.write('docs/runbooks/Thing.md', '# Thing\n## What it means\n');
  assertFinds(/Thing.md: its headings/);
});
test('an alert without a case in which it fires, or does not, is found', () => {
  write({ cases: [''] });
  assertFinds(/no test in which it fires/);
  write({ cases: ['x'] });
  assertFinds(/no test in which it does not fire/);
});
test('a kind of panel that Grafana no longer has is found', () => {
  write({ panel: panelOf(GOOD, { type: 'graph' }) });
  assertFinds(/panels are timeseries/);
});
const collector = (changes, pipeline) => ({
  receivers: { otlp: {} },
  processors: { memory_limiter: {}, batch: {} },
  exporters: { debug: {} },
  ...changes,
  service: {
    pipelines: {
      traces: {
        receivers: ['otlp'],
        processors: ['memory_limiter', 'batch'],
        exporters: ['${env:EXPORTER:-debug}'],
        ...pipeline,
      },
    },
  },
});
const COLLECTORS = {
  'an exporter that is not there': [collector({}, { exporters: ['otlphttp'] }), /exporters has no otlphttp/],
  'a default that is not there': [collector({}, { exporters: ['${env:X:-file}'] }), /exporters has no file/],
  'a memory limiter that is not first': [
    collector(
      { processors: { memory_limiter: {}, batch: {}, filter: {} } },
      { processors: ['filter', 'memory_limiter', 'batch'] },
    ),
    /memory_limiter is not first/,
  ],
  'a component of another distribution': [
    collector({ processors: { memory_limiter: {}, batch: {}, tail_sampling: {} } }),
    /no tail_sampling/,
  ],
};
for (const [what, [config, message]] of Object.entries(COLLECTORS)) {
  test(`${what} is found in the collector's configuration`, () => {
    repository.write('infra/otel/collector.yaml', JSON.stringify(config));
    const found = collectorFindings(repository.folder);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0], message);
  });
}
test('a collector whose pipeline is whole passes', () => {
  repository.write('infra/otel/collector.yaml', JSON.stringify(collector({})));
  assert.deepEqual(collectorFindings(repository.folder), []);
});
