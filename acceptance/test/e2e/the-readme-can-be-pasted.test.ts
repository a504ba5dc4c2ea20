import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '@novacron/local-stack/config';
import { findProgram } from '@novacron/local-stack/servers/programs';
import { note } from '@novacron/testkit/note';
import { type TestStack, useTestStack } from '@novacron/testkit/stack';

const qemu = findProgram('qemu-system-x86_64');
if (!qemu) note('qemu-system-x86_64 is missing: skipping the first session of the README');

/** Every sh block of a section. */
function commandsOf(section: string): string {
  const readme = readFileSync(join(repositoryRoot, 'README.md'), 'utf8');
  const text = readme.split(/^## /m).find((part) => part.startsWith(section)) ?? '';
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, commands]) => commands).join('');
}

let stack: TestStack;
let folder: string;

(qemu ? describe : describe.skip)("the README's first session", () => {
  beforeAll(async () => {
    stack = await useTestStack({ qemu: true, simHosts: 1, replica: false });
    folder = mkdtempSync(join(tmpdir(), 'novacron-readme-'));
    symlinkSync(stack.home, join(folder, '.novacron'));
  }, 180_000);
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await stack?.remove();
  }, 60_000);

  it('works when a reader pastes it as a whole', async () => {
    const script = `set -euo pipefail\n${commandsOf('A first session')}`;
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script], {
      cwd: folder,
      timeout: 100_000,
      maxBuffer: 2 ** 24,
    });
    expect(stderr).toBe('');
    expect(stdout).toContain('NOVACRON-GUEST-UP');
    const answers = stdout.split('\n').filter((line) => line.startsWith('{'));
    expect(answers.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({ name: 'web-1', state: 'running' }),
      expect.objectContaining({
        name: 'tiny-1',
        state: 'running',
        conditions: expect.arrayContaining([expect.objectContaining({ type: 'GuestReady', status: 'true' })]),
      }),
      expect.objectContaining({ values: expect.objectContaining({ cpu_usage: expect.anything() }) }),
      expect.objectContaining({ status: 422, code: 'invalid_request' }),
      expect.objectContaining({ kind: 'delete' }),
    ]);
  });
});
