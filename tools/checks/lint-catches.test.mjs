import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FakeRepository } from './fake-repository.mjs';

const WRONG = {
  'no-floating-promises': 'export function f(work: () => Promise<void>): void { work(); }',
  'no-misused-promises': 'export function f(work: () => Promise<boolean>): number { return work() ? 1 : 2; }',
  'no-explicit-any': 'export const a: any = 1;',
  'no-unused-vars': 'const unused = 1; export {};',
  eqeqeq: 'export const same = (a: number, b: number): boolean => a == b;',
  'no-console': 'console.log(1);',
  'no-process-env': 'export const home = process.env.HOME;',
  'no-warning-comments': '// TODO later\nexport {};',
  'no-focused-tests': "import { it } from '@jest/globals'; it.only('x', () => undefined);",
  'switch-exhaustiveness-check':
    "export function f(state: 'on' | 'off'): number { switch (state) { case 'on': return 1; } return 0; }",
};
const BAD = 'apps/gateway/src/bad';

const repository = new FakeRepository();
let lines = [];

before(() => {
  repository.copyFromRoot('.oxlintrc.json');
  repository.linkFromRoot('node_modules/.bin'); // where oxlint looks for its type-aware half
  repository.write(
    'tsconfig.json',
    JSON.stringify({ compilerOptions: { strict: true, types: [] }, include: ['**/*.ts'] }),
  );
  for (const [rule, text] of Object.entries(WRONG)) repository.write(`${BAD}/${rule}.ts`, `${text}\n`);
  const allowed = `${WRONG['no-process-env']}\n${WRONG['no-console']}\n`;
  repository.write('packages/local-stack/src/program.ts', allowed);
  lines = repository.run('oxlint/bin/oxlint', ['--format=unix', 'apps', 'packages']).split('\n');
});
after(() => repository.remove());

for (const rule of Object.keys(WRONG)) {
  test(`the linter finds what ${rule} forbids`, () => {
    const found = lines.filter((line) => line.startsWith(`${BAD}/${rule}.ts`) && line.includes(`(${rule})`));
    assert.equal(found.length, 1, lines.join('\n'));
  });
}

test('the programs for people may read the environment and write to the terminal', () => {
  assert.deepEqual(
    lines.filter((line) => line.startsWith('packages/local-stack')),
    [],
  );
});
