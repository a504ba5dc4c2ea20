import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { chart, conforms, lint, readme, restricted, unitTests } from '../chart/checks.mjs';
import { wrongEnvironments } from '../chart/environment.mjs';
import { UNRESTRICTED } from '../chart/matrix.mjs';
import { renderAll } from '../chart/render.mjs';
import { findTool } from '../go-programs.mjs';

const folder = mkdtempSync(join(tmpdir(), 'novacron-chart-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const needs = (...names) => {
  const missing = names.filter((name) => findTool(name) === undefined);
  return { skip: missing.length > 0 && `${missing.join(', ')} not there: npm run chart -- install` };
};

/** A copy of the chart in which `wrong` replaces `right`. */
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
  'a field that a custom resource does not have': ['autoscaling.yaml', 'minReplicaCount', 'minReplicas'],
  'a value of the wrong type': ['deployments.yaml', 'revisionHistoryLimit: 5', 'revisionHistoryLimit: five'],
};
for (const [what, [file, right, wrong]] of Object.entries(WRONG)) {
  test(`kubeconform finds ${what}`, needs('helm', 'kubeconform'), async () => {
    const { documents, faults } = await rendered(spoiled(file, right, wrong));
    assert.deepEqual(faults, []);
    assert.match((await conforms(documents)).join(), /is invalid/);
  });
}

const UNSAFE = {
  'runs as root': ['runAsNonRoot: true', 'runAsNonRoot: false'],
  'runs as user 0': ['runAsUser: 1000', 'runAsUser: 0'],
  'has no seccomp profile': ['  seccompProfile: { type: RuntimeDefault }\n', ''],
  'keeps its capabilities': ['drop: [ALL]', 'drop: [NET_RAW]'],
  'adds a capability': ['{ drop: [ALL] }', '{ drop: [ALL], add: [SYS_ADMIN] }'],
  'escalates privileges': ['allowPrivilegeEscalation: false', 'allowPrivilegeEscalation: true'],
  'is privileged': ['readOnlyRootFilesystem: true', 'privileged: true'],
  'uses the network of its node': [
    'securityContext:\n  runAsNonRoot',
    'hostNetwork: true\nsecurityContext:\n  runAsNonRoot',
  ],
};
for (const [what, [right, wrong]] of Object.entries(UNSAFE)) {
  test(`the check finds a pod that ${what}`, needs('helm', 'kubeconform'), async () => {
    const { documents, faults } = await rendered(spoiled('_pods.tpl', right, wrong));
    assert.deepEqual(faults, []);
    assert.match((await restricted(documents)).join(), /gateway is not restricted: /);
  });
}

test(
  'the check finds a folder of the node, and an exemption that no pod needs',
  needs('kubeconform'),
  async () => {
    const securityContext = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
    const container = {
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    };
    const set = (name, volumes) =>
      JSON.stringify({
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name },
        spec: { template: { spec: { securityContext, containers: [container], volumes } } },
      });
    const [exempt] = UNRESTRICTED.map((each) => each.split('/')[1]);
    const volumes = [{ name: 'disk', hostPath: { path: '/dev' } }];
    assert.deepEqual(await restricted([set('safe'), set(exempt, volumes)]), []);
    assert.match(
      (await restricted([set('unsafe', volumes)])).join(),
      /DaemonSet\/unsafe is not restricted: /,
    );
    assert.match((await restricted([set(exempt)])).join(), /is restricted and needs no exemption/);
  },
);

test('the check finds a README.md that its values no longer match', needs('helm-docs'), async () => {
  assert.deepEqual(await readme(), []);
  cpSync(chart, folder, { recursive: true, force: true });
  const path = join(folder, 'values.yaml');
  writeFileSync(path, readFileSync(path, 'utf8').replace("nameOverride: ''", 'nameOverride: other'));
  assert.match((await readme(folder)).join(), /README.md of the chart is not current/);
});

test('the check names a combination that does not render', needs('helm'), async () => {
  const { faults } = await rendered(spoiled('deployments.yaml', '.service.poolMax', '.service.poolMax.most'));
  assert.match(faults.join(), /^one: Error: .*poolMax/);
});

test('the linter finds a template that cannot be read', needs('helm'), async () => {
  assert.notDeepEqual(await lint(spoiled('services.yaml', '{{- range $name', '{{- rang $name')), []);
});

test(
  'the unit tests fail when a rolling update removes a pod too early',
  needs('helm-unittest'),
  async () => {
    const { faults } = await unitTests(spoiled('deployments.yaml', 'maxUnavailable: 0', 'maxUnavailable: 1'));
    assert.match(faults.join(), /FAIL .*the Deployments of the services/);
  },
);

const APART = {
  'a Service that leads nowhere': [
    'services.yaml',
    'targetPort: http',
    'targetPort: https',
    /asks for port https/,
  ],
  'a network policy that selects no pod': [
    'networkpolicies.yaml',
    '"name" $name }}',
    '"name" "api" }}',
    /selects no pod/,
  ],
  'an autoscaler of a Deployment that does not exist': [
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
  'a service account that does not exist': [
    'serviceaccounts.yaml',
    '"name" $name)',
    '"name" "all")',
    /ServiceAccount nc-novacron-gateway, which is not there/,
  ],
};
for (const [what, [file, right, wrong, message]] of Object.entries(APART)) {
  test(`the check finds ${what}`, needs('helm'), async () => {
    assert.match((await rendered(spoiled(file, right, wrong))).faults.join('\n'), message);
  });
}

test('the check finds a variable that an app does not read', needs('helm'), async () => {
  const generated = { secrets: { generate: true }, valkey: { enabled: true } };
  const spoil = spoiled('deployments.yaml', 'NOVACRON_PG_POOL_MAX', 'NOVACRON_PG_POOL');
  const combination = { name: 'one', values: [...values, generated], apiVersions: [] };
  const { faults } = await renderAll(spoil, [combination], wrongEnvironments);
  assert.match(faults.join('\n'), /nc-novacron-gateway reads no NOVACRON_PG_POOL/);
});

test(
  'the check finds a password that bootstrap.sql reads and its Job does not set',
  needs('helm'),
  async () => {
    const bootstrap = { bootstrap: { enabled: true, existingSecret: 'superuser' } };
    const spoil = spoiled('jobs.yaml', '"OWNER" "API" "SYS"', '"OWNER" "API"');
    const combination = { name: 'one', values: [...values, bootstrap], apiVersions: [] };
    const { faults } = await renderAll(spoil, [combination], wrongEnvironments);
    assert.match(faults.join('\n'), /reads NOVACRON_PG_METRICS_SYS_PASSWORD, which its Job does not give/);
  },
);
