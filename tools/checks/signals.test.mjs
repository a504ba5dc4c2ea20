import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../toolchain.mjs';

let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'nc-signals-'));
  const progress = JSON.stringify(join(root, 'tools', 'progress.mjs'));
  // A fake stack: it reports that it is up, and ends in order on SIGTERM.
  writeFileSync(
    join(folder, 'stack.mjs'),
    `import { writeFileSync } from 'node:fs';
     const timer = setInterval(() => {}, 1000);
     process.on('SIGTERM', () => { writeFileSync('ended', ''); clearInterval(timer); });
     writeFileSync('up', String(process.pid));`,
  );
  writeFileSync(
    join(folder, 'run.mjs'),
    `import { handOver } from ${progress};
     process.exitCode = await handOver(process.execPath, ['stack.mjs'], process.env);`,
  );
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { start: 'node run.mjs start' } }));
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function until(fact) {
  while (!fact()) await sleep(50);
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('SIGTERM to the process of npm start ends the stack in order', { timeout: 120_000 }, async () => {
  for (const name of ['up', 'ended']) rmSync(join(folder, name), { force: true });
  const npm = spawn('npm', ['start'], { cwd: folder, stdio: 'ignore' });
  await until(() => existsSync(join(folder, 'up')) && readFileSync(join(folder, 'up'), 'utf8') !== '');
  const pid = Number(readFileSync(join(folder, 'up'), 'utf8'));
  npm.kill('SIGTERM');
  await until(() => !alive(pid));
  assert.ok(existsSync(join(folder, 'ended')));
});

test('the help is there without a build', () => {
  const { npm_lifecycle_event: _npm, ...env } = process.env;
  const child = spawn(process.execPath, [join(root, 'tools', 'run.mjs'), 'start', '--help'], { env });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  return new Promise((done) => child.on('close', done)).then((code) => {
    assert.equal(code, 0);
    assert.match(output, /usage: /i);
    assert.doesNotMatch(output, /build …/);
  });
});
