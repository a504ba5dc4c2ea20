import { describe, expect, it } from '@jest/globals';
import { ERRORS } from '@novacron/contracts/errors';
import { readFileSync } from 'node:fs';

const page = readFileSync(new URL('../../../../docs/operating.md', import.meta.url), 'utf8');
// A table of its own has the codes that appear only in a VM's `lastError`.
const table = page.slice(
  page.indexOf('## Failure modes'),
  page.indexOf('Codes that appear only in `lastError`'),
);
const rows = table.split('\n').filter((line) => line.startsWith('| `'));
const named = rows.flatMap((row) =>
  [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, code]) => code),
);

describe('docs/operating.md', () => {
  it('describes for every error code, once, what operators do', () => {
    expect([...named].sort()).toEqual(Object.keys(ERRORS).sort());
  });
});
