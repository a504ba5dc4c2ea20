import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { ERRORS } from '@novacron/contracts/errors';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** Files that only tell of codes. */
const TELLS = /contracts\/src\/errors\.ts|errors\/advice\.ts|openapi\/document\.ts|\.(test|harness)\.ts$/;

/** A source without its comments and without the lists of codes that operations declare. */
const raising = (file: string) =>
  readFileSync(root + file, 'utf8')
    .replaceAll(/errors: \[[^\]]*\]/g, '')
    .replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '');

describe('an error code', () => {
  it('is raised somewhere', () => {
    const files = globSync(['apps/*/src/**/*.ts', 'packages/*/src/**/*.ts'], { cwd: root });
    const text = files
      .filter((file) => !TELLS.test(file))
      .map(raising)
      .join('');
    expect(Object.keys(ERRORS).filter((code) => !text.includes(`'${code}'`))).toEqual([]);
  });
});
