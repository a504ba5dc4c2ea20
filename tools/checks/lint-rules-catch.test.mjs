import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findingsIn } from './lint-rules.mjs';

const errorsIn = (path, text) => findingsIn(path, text).filter(({ severity }) => severity === 'error');

const WRONG = {
  'a skipped test without a reason': ['a.test.ts', "it.skip('x', () => {});\n"],
  'a path of one machine': ['docs/a.md', 'see /root/novacron/log\n'],
  'a barrel': ['packages/config/src/all.ts', "export * from './load.js';\n"],
  'a subject made by hand': ['a.ts', 'publish(`events.${tenantId}.vm.${vmId}`);\n'],
  'a dependency with its own version': ['packages/config/package.json', '{"dependencies":{"zod":"^4.0.0"}}'],
  'an action by its tag': [
    '.github/workflows/a.yml',
    'permissions: {}\nconcurrency: a\n    timeout-minutes: 5\n    - uses: actions/checkout@v5\n',
  ],
  'a workflow without permissions': ['.github/workflows/a.yml', 'concurrency: a\n    timeout-minutes: 5\n'],
  'a phrase in a comment': ['apps/a/src/a.ts', '/**\n * What is no GET.\n */\n'],
  'a phrase in a title': ['tools/a.test.mjs', "test.each([1])(\n  'nobody reads %i', () => {});\n"],
  'a phrase in a page': ['docs/a.md', 'Ask whoever knows.\n'],
  'a file of more than 400 lines': ['a.ts', 'export {};\n'.repeat(401)],
};
for (const [what, [path, text]] of Object.entries(WRONG)) {
  test(`${what} is an error`, () => assert.equal(errorsIn(path, text).length, 1));
}

const RIGHT = {
  'a test that needs QEMU may be skipped where there is none': [
    "it.skip('QEMU is not installed here', () => {});\n",
    'a.test.ts',
  ],
  'a generated file may be long': ['x\n'.repeat(1000), 'apps/gateway/openapi.generated.json'],
  'a URL is not a path of a machine': ['fetch(`${url}/work/root`)\n', 'a.ts'],
  'a text of the product may have any phrase': ["throw new Error('there is no such host');\n", 'a.ts'],
  'versions come from the catalog': [
    '{"dependencies":{"zod":"catalog:","@novacron/config":"workspace:*"}}',
    'packages/x/package.json',
  ],
};
for (const [title, [text, path]] of Object.entries(RIGHT)) {
  test(title, () => assert.deepEqual(findingsIn(path, text), []));
}

test('a file of more than 250 lines is a warning', () => {
  assert.deepEqual(
    findingsIn('a.ts', 'export {};\n'.repeat(251)).map(({ severity }) => severity),
    ['warning'],
  );
});
