import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { chart, conforms, lint, restricted, unitTests } from '../chart/checks.mjs';
import { conflictsIn, renderAll } from '../chart/render.mjs';
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
  const { faults } = await rendered(spoiled('deployments.yaml', '$service.poolMax', '$service.poolMax.most'));
  assert.match(faults.join(), /^one: Error: .*poolMax/);
});

test('the linter finds a template that cannot be read', needs('helm'), async () => {
  assert.notDeepEqual(await lint(spoiled('services.yaml', '{{- range $name', '{{- rang $name')), []);
});

test('the unit tests miss a pod that is taken away too early', needs('helm-unittest'), async () => {
  const { faults } = await unitTests(spoiled('deployments.yaml', 'maxUnavailable: 0', 'maxUnavailable: 1'));
  assert.match(faults.join(), /FAIL .*the Deployments of the services/);
});

test('two autoscalers of one Deployment are a conflict', () => {
  const scaled = (kind, name) =>
    `kind: ${kind}\nmetadata:\n  name: ${name}\nspec:\n  scaleTargetRef:\n    name: gateway`;
  assert.deepEqual(conflictsIn([scaled('HorizontalPodAutoscaler', 'a'), scaled('ScaledObject', 'b')]), [
    'autoscaler of gateway is there twice',
  ]);
});

test('a comment of a value becomes a row, with its path', () => {
  const yaml = 'a:\n  # -- What it is.\n  b: 1\n  # not told\n  c: 2\n# -- Block.\nd:\n  e: 3\n';
  assert.deepEqual(documentedValues(yaml), [
    { path: 'a.b', fallback: '1', text: 'What it is.' },
    { path: 'd', fallback: '', text: 'Block.' },
  ]);
});
