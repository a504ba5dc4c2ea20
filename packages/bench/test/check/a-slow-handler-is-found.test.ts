import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';

const directory = mkdtempSync(join(tmpdir(), 'novacron-check-'));
const baseline = join(directory, 'baseline.json');
const cli = join(repositoryRoot, 'packages', 'bench', 'dist', 'check', 'cli.js');
const slow = pathToFileURL(join(import.meta.dirname, 'slow-list.mjs')).href;

/** Other tests run at the same time, and short rounds differ: at the 10 % of long ones an unchanged one might fail. */
const LIMIT = ['--limit', '75'];

/** `npm run bench:check -- list --quick`; with `preload` in every process of it. */
function check(args: readonly string[], preload?: string): Promise<{ code: number; output: string }> {
  const env = { ...inheritedEnvironment(), ...(preload ? { NODE_OPTIONS: `--import=${preload}` } : {}) };
  const all = [cli, 'list', '--quick', ...LIMIT, '--baseline', baseline, ...args];
  return new Promise((done) => {
    execFile(process.execPath, all, { env }, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });
}

beforeAll(async () => {
  // The baseline of this machine as it is now: the committed one is of another.
  expect(await check(['--write'])).toMatchObject({ code: 0 });
}, 120_000);

afterAll(() => rmSync(directory, { recursive: true }));

it('passes when nothing has changed', async () => {
  const { code, output } = await check([]);
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(output).toContain('no regression');
}, 180_000);

it('fails when the handler of the list has become slower, after a second look, and names it', async () => {
  const { code, output } = await check([], slow);
  expect(code).toBe(1);
  expect(output).toContain('guide.list looks worse: once more');
  expect(output).toMatch(/^guide\.list +.*FAILED: worse$/m);
  // Time was lost, nothing was allocated.
  expect(output).toMatch(/^guide\.list-allocated +.*ok$/m);
}, 180_000);

it('fails without a baseline, and prints how to write one', async () => {
  const { code, output } = await check(['--baseline', join(directory, 'none.json')]);
  expect(code).toBe(1);
  expect(output).toContain('npm run bench:baseline');
});
