import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { chart, conforms, lint, restricted, unitTests } from '../chart/checks.mjs';
import { wrongEnvironments } from '../chart/environment.mjs';
import { renderAll } from '../chart/render.mjs';
import { documentedValues } from '../chart/readme.mjs';
import { findTool } from '../chart/tools.mjs';

const folder = mkdtempSync(join(tmpdir(), 'novacron-chart-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const needs = (...names) => {
  const missing = names.filter((name) => findTool(name) === undefined);
  return { skip: missing.length > 0 && `${missing.join(', ')} not there: npm run chart -- install` };
};

/** A copy of the chart in which `wrong` stands for `right`. */
function spoiled(file, right, wrong) {
  cpSync(chart, folder, { recursive: true, force: true });
  const path = join(folder, 'templates', file);
  const text = readFileSync(path, 'utf8');
  assert.ok(text.includes(right), `${file} has no ${right}`);
  writeFileSync(path, text.replaceAll(right, wrong));
  return folder;
}

const values = [
  { postgres: { primary: 'pg:5432' }, nats: { url: 'nats://nats' }, autoscaling: { source: 'keda' } },
];
const rendered = (place) => renderAll(place, [{ name: 'one', values, apiVersions: [] }]);

const WRONG = {
  'a field that Kubernetes does not know': [
    'deployments.yaml',
    'revisionHistoryLimit',
    'revisionHistoryLimits',
  ],
  'a field of a custom resource that there is none of': [
    'autoscaling.yaml',
    'minReplicaCount',
    'minReplicas',
  ],
  'a value of the wrong type': ['deployments.yaml', 'revisionHistoryLimit: 5', 'revisionHistoryLimit: five'],
};
for (const [what, [file, right, wrong]] of Object.entries(WRONG)) {
  test(`kubeconform finds ${what}`, needs('helm', 'kubeconform'), async () => {
    const { documents, faults } = await rendered(spoiled(file, right, wrong));
    assert.deepEqual(faults, []);
    assert.match((await conforms(documents)).join(), /is invalid/);
  });
}

test('a pod that may be root is not restricted', needs('helm', 'podsecurity'), async () => {
  const { documents } = await rendered(spoiled('_pods.tpl', 'runAsNonRoot: true', 'runAsNonRoot: false'));
  assert.match((await restricted(documents)).join(), /gateway is not restricted: .*runAsNonRoot/);
});

test('a combination that does not render is told by its name', needs('helm'), async () => {
  const { faults } = await rendered(spoiled('deployments.yaml', '.service.poolMax', '.service.poolMax.most'));
  assert.match(faults.join(), /^one: Error: .*poolMax/);
});

test('the linter finds a template that cannot be read', needs('helm'), async () => {
  assert.notDeepEqual(await lint(spoiled('services.yaml', '{{- range $name', '{{- rang $name')), []);
});

test('the unit tests miss a pod that is taken away too early', needs('helm-unittest'), async () => {
  const { faults } = await unitTests(spoiled('deployments.yaml', 'maxUnavailable: 0', 'maxUnavailable: 1'));
  assert.match(faults.join(), /FAIL .*the Deployments of the services/);
});

const APART = {
  'a Service that leads nowhere': [
    'services.yaml',
    'targetPort: http',
    'targetPort: https',
    /asks for port https/,
  ],
  'a policy for no pod': ['networkpolicies.yaml', '"name" $name }}', '"name" "api" }}', /selects no pod/],
  'an autoscaler of nothing': [
    'autoscaling.yaml',
    'name: {{ include "novacron.fullname" $ }}-{{ $name }}',
    'name: api',
    /names Deployment api/,
  ],
  'two autoscalers of one Deployment': [
    'autoscaling.yaml',
    '{{- else }}',
    '{{- end }}{{- if true }}',
    /autoscaler of nc-novacron-gateway is there twice/,
  ],
  'an account that is not made': [
    'serviceaccounts.yaml',
    '"name" $name)',
    '"name" "all")',
    /ServiceAccount nc-novacron-gateway, which is not there/,
  ],
};
for (const [what, [file, right, wrong, told]] of Object.entries(APART)) {
  test(`the check finds ${what}`, needs('helm'), async () => {
    assert.match((await rendered(spoiled(file, right, wrong))).faults.join('\n'), told);
  });
}

test('an app is refused what its configuration does not take', needs('helm'), async () => {
  const generated = { secrets: { generate: true }, valkey: { enabled: true } };
  const spoil = spoiled('deployments.yaml', 'NOVACRON_PG_POOL_MAX', 'NOVACRON_PG_POOL');
  const combination = { name: 'one', values: [...values, generated], apiVersions: [] };
  const { faults } = await renderAll(spoil, [combination], wrongEnvironments);
  assert.match(faults.join('\n'), /nc-novacron-gateway reads no NOVACRON_PG_POOL/);
});

test('the bootstrap is refused without a password that its SQL asks for', needs('helm'), async () => {
  const bootstrap = { bootstrap: { enabled: true, existingSecret: 'superuser' } };
  const spoil = spoiled('jobs.yaml', '"OWNER" "API" "SYS"', '"OWNER" "API"');
  const combination = { name: 'one', values: [...values, bootstrap], apiVersions: [] };
  const { faults } = await renderAll(spoil, [combination], wrongEnvironments);
  assert.match(faults.join('\n'), /reads NOVACRON_PG_METRICS_SYS_PASSWORD, which its Job does not give/);
});

test('a comment of a value becomes a row, with its path', () => {
  const yaml = 'a:\n  # -- What it is.\n  b: 1\n  # not told\n  c: 2\n# -- Block.\nd:\n  e: 3\n';
  assert.deepEqual(documentedValues(yaml), [
    { path: 'a.b', fallback: '1', text: 'What it is.' },
    { path: 'd', fallback: '', text: 'Block.' },
  ]);
});
