import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { generatedFiles } from '../../src/openapi/generated.js';

it.each(Object.entries(generatedFiles()))('%s is what the code generates', (path, text) => {
  const committed = readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8');
  // A difference is mended by: pnpm --filter @novacron/gateway generate
  expect(committed === text).toBe(true);
});
