import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FakeRepository } from './fake-repository.mjs';

const PACKAGES = [
  'apps/gateway',
  'apps/vm-orchestrator',
  'packages/service-kit',
  'packages/outbox',
  'packages/postgres',
  'packages/messaging',
  'packages/telemetry',
  'packages/contracts',
  'packages/vm-lifecycle',
  'packages/async',
  'packages/provisioning',
  'packages/local-stack',
  'packages/testkit',
  'packages/bench',
];

/** Importing file → what it imports; and the rule that must refuse it (none: the import is allowed). */
const IMPORTS = [
  ['apps/gateway/src/main.ts', '@novacron/service-kit/thing', null],
  ['apps/gateway/src/down.test.ts', '@novacron/vm-lifecycle/thing', null],
  ['apps/gateway/src/tools.test.ts', '@novacron/testkit/thing', null],
  ['packages/service-kit/src/down.ts', '@novacron/postgres/thing', null],
  ['packages/contracts/src/down.ts', '@novacron/vm-lifecycle/thing', null],
  ['packages/messaging/src/down.ts', '@novacron/async/thing', null],
  ['packages/outbox/src/down.ts', '@novacron/telemetry/thing', null],
  ['packages/testkit/src/servers.ts', '@novacron/local-stack/thing', null],
  ['packages/local-stack/src/servers.ts', '@novacron/provisioning/thing', null],
  ['packages/postgres/test/starts-one.ts', '@novacron/local-stack/thing', null],
  ['apps/gateway/src/sideways.test.ts', '@novacron/vm-orchestrator/thing', 'apps-do-not-import-apps'],
  ['packages/postgres/src/up.ts', '@novacron/outbox/thing', 'floor-2-imports-only-what-is-below'],
  ['packages/postgres/src/sideways.ts', '@novacron/messaging/thing', 'floor-2-imports-only-what-is-below'],
  ['packages/vm-lifecycle/src/up.ts', '@novacron/contracts/thing', 'floor-0-imports-only-what-is-below'],
  ['packages/contracts/src/server.ts', '@novacron/async/thing', 'contracts-run-in-browsers'],
  ['packages/contracts/src/app.ts', '@novacron/gateway/thing', 'packages-do-not-import-apps'],
  ['apps/vm-orchestrator/src/main.ts', '@novacron/testkit/thing', 'services-do-not-import-tools'],
  ['packages/messaging/src/tool.ts', '@novacron/local-stack/thing', 'services-do-not-import-tools'],
  ['packages/telemetry/src/tool.ts', '@novacron/bench/thing', 'services-do-not-import-tools'],
  ['packages/local-stack/src/tests.ts', '@novacron/testkit/thing', 'local-stack-imports-only-lower-tools'],
  ['packages/provisioning/src/up.ts', '@novacron/local-stack/thing', 'provisioning-imports-only-lower-tools'],
  ['packages/outbox/src/around.ts', '../../contracts/src/app.js', 'no-way-around-the-exports'],
  ['packages/outbox/src/nowhere.ts', '@novacron/contracts/nothing', 'not-to-unresolvable'],
  ['packages/bench/src/one.ts', './other.js', 'no-cycles'],
];

const repository = new FakeRepository();
let rulesAgainst;

before(() => {
  repository.copyFromRoot('.dependency-cruiser.mjs');
  for (const place of PACKAGES) repository.addPackage(place);
  for (const [file, from] of IMPORTS) repository.write(file, `import '${from}';\n`);
  repository.write('packages/bench/src/other.ts', "import './one.js';\n");
  repository.write('apps/gateway/src/forgotten.ts', 'export {};\n');
  rulesAgainst = repository.violations(['apps', 'packages']);
});
after(() => repository.remove());

for (const [file, imported, rule] of IMPORTS) {
  test(
    rule === null ? `${file} may import ${imported}` : `${file} may not import ${imported}: ${rule}`,
    () => {
      const violated = rulesAgainst(file);
      if (rule === null) assert.deepEqual(violated, []);
      else assert.ok(violated.includes(rule), `only ${JSON.stringify(violated)} was violated`);
    },
  );
}

test('the check finds an unused file of an app', () => {
  assert.deepEqual(rulesAgainst('apps/gateway/src/forgotten.ts'), ['apps-hold-no-unused-file']);
});
