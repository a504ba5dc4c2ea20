import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FakeRepository } from './fake-repository.mjs';

const CONFIG = `import config, { floorsOf } from './.dependency-cruiser.mjs';
const floors = [['api'], ['left', 'right'], ['bottom', 'bottom/inner']];
export default { ...config, forbidden: floorsOf('rooms', floors) };
`;

/** Importing file → what it imports; and the rule that must refuse it (none: the import is allowed). */
const IMPORTS = [
  ['api/down.ts', '../bottom/thing.js', null],
  ['left/right.ts', '../right/thing.js', null],
  ['left/sibling.ts', './thing.js', null],
  ['bottom/config.ts', '../config.js', null],
  ['bottom/inner.ts', './inner/thing.js', null],
  ['bottom/up.test.ts', '../api/thing.js', null],
  ['app.module.ts', './api/thing.js', null],
  ['left/up.ts', '../api/thing.js', 'rooms-left-imports-only-what-is-below'],
  ['right/left.ts', '../left/thing.js', 'rooms-right-imports-only-what-is-below'],
  ['bottom/up.ts', '../right/thing.js', 'rooms-bottom-imports-only-what-is-below'],
  ['bottom/inner/outer.ts', '../thing.js', 'rooms-bottom/inner-imports-only-what-is-below'],
  ['api/module.ts', '../app.module.js', 'rooms-rooms-import-no-file-beside-them'],
  ['config.ts', './bottom/thing.js', 'rooms-config-imports-no-room'],
  ['attic/new.ts', '../bottom/thing.js', 'rooms-every-folder-is-a-room'],
];

const repository = new FakeRepository();
let rulesAgainst;

before(() => {
  repository.copyFromRoot('.dependency-cruiser.mjs');
  repository.write('.rooms.mjs', CONFIG);
  for (const room of ['api', 'left', 'right', 'bottom', 'bottom/inner'])
    repository.write(`apps/rooms/src/${room}/thing.ts`, 'export type Thing = 1;\n');
  for (const [file, imported] of IMPORTS) {
    const text = `import type { Thing } from '${imported}';\nexport type Other = Thing;\n`;
    repository.write(`apps/rooms/src/${file}`, text);
  }
  rulesAgainst = repository.violations(['apps'], ['--config', '.rooms.mjs']);
});
after(() => repository.remove());

for (const [file, imported, rule] of IMPORTS) {
  const title =
    rule === null
      ? `${file} may import the type of ${imported}`
      : `${file} may not import even a type of ${imported}: ${rule}`;
  test(title, () => {
    assert.deepEqual(rulesAgainst(`apps/rooms/src/${file}`), rule === null ? [] : [rule]);
  });
}
