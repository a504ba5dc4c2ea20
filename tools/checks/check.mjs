// npm run check [-- NAME...]: every check that needs no running server. A failed check does not stop the others.
import { capture } from '../progress.mjs';
import { root, toolEnvironment } from '../toolchain.mjs';
import { CHECKS } from './checks.mjs';

const names = CHECKS.map(({ name }) => name);

async function runAndPrint(check) {
  const start = Date.now();
  const { code, output } = await capture(check.command, check.args, { cwd: root, env: toolEnvironment() });
  const passed = code === 0;
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  // Some checks print warnings or skipped parts when they pass; turbo prints a table that is not worth showing.
  if (!passed || check.tells) process.stdout.write(output.trimEnd() && `${output.trimEnd()}\n`);
  process.stdout.write(
    `check ${check.name.padEnd(10)} ${seconds.padStart(6)} s  ${passed ? 'ok' : `FAILED: ${check.hint}`}\n`,
  );
  return { ...check, passed };
}

async function main(wanted) {
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`usage: npm run check [-- NAME...]\nnames: ${names.join(' ')}\n`);
    return wanted.includes('--help') ? 0 : 2;
  }
  const results = [];
  for (const check of CHECKS) {
    if (wanted.length === 0 || wanted.includes(check.name)) results.push(await runAndPrint(check));
  }
  const failed = results.filter(({ passed }) => !passed).map(({ name }) => name);
  const verdict = failed.length > 0 ? `failed: ${failed.join(', ')}` : 'all ok';
  process.stdout.write(`checks: ${results.length - failed.length} of ${results.length} ok; ${verdict}\n`);
  return failed.length > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
