// npm run check [-- NAME...]: everything about the code that needs no running server. Every gate runs, whatever
// the one before it said.
import { spawn } from 'node:child_process';
import { root, toolEnvironment } from '../toolchain.mjs';
import { GATES } from './gates.mjs';

const names = GATES.map(({ name }) => name);

/** Runs one gate; its output, and whether it passed. */
function run({ command, args }) {
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: root,
      env: toolEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', (error) => done({ passed: false, output: error.message }));
    child.on('close', (code) => done({ passed: code === 0, output }));
  });
}

async function runAndTell(gate) {
  const start = Date.now();
  const { passed, output } = await run(gate);
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  // What some gates say when they pass (warnings, what was skipped) is worth a look, turbo's table is not.
  if (!passed || gate.tells) process.stdout.write(output.trimEnd() && `${output.trimEnd()}\n`);
  process.stdout.write(
    `check ${gate.name.padEnd(10)} ${seconds.padStart(6)} s  ${passed ? 'ok' : `FAILED: ${gate.hint}`}\n`,
  );
  return { ...gate, passed };
}

async function main(wanted) {
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`usage: npm run check [-- NAME...]\nnames: ${names.join(' ')}\n`);
    return wanted.includes('--help') ? 0 : 2;
  }
  const results = [];
  for (const gate of GATES) {
    if (wanted.length === 0 || wanted.includes(gate.name)) results.push(await runAndTell(gate));
  }
  const failed = results.filter(({ passed }) => !passed).map(({ name }) => name);
  const told = failed.length > 0 ? `failed: ${failed.join(', ')}` : 'all ok';
  process.stdout.write(`checks: ${results.length - failed.length} of ${results.length} ok; ${told}\n`);
  return failed.length > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
