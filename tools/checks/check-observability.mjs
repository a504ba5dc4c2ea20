// Checks that rules, dashboards and runbooks fit each other and the exported metrics. promtool, if it is available,
// checks the rules and runs their tests.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';
import { configPaths, rulePaths, ruleTestPaths } from '../observability/files.mjs';
import { COLLECTOR, collectorFindings } from '../observability/collector.mjs';
import { observabilityFindings } from '../observability/findings.mjs';
import { findPromtool } from '../observability/promtool.mjs';

const absolute = (paths) => paths.map((path) => join(root, path));

function promtool() {
  const { program, missing } = findPromtool(root);
  if (missing) {
    process.stdout.write(`skipped: the tests of the alerts: ${missing}\n`);
    return true;
  }
  const runs = [
    ['check', 'config', ...absolute(configPaths(root))],
    ['check', 'rules', ...absolute(rulePaths(root))],
    ['test', 'rules', ...absolute(ruleTestPaths(root))],
  ];
  const failed = runs
    .map((args) => spawnSync(program, args, { encoding: 'utf8' }))
    .filter(({ status }) => status !== 0);
  for (const { stdout, stderr } of failed) process.stdout.write(stdout + stderr);
  return failed.length === 0;
}

/** Lets the collector validate its configuration, if it is installed. */
function collector() {
  const { status, stdout, stderr, error } = spawnSync(
    'otelcol',
    ['validate', '--config', join(root, COLLECTOR)],
    { encoding: 'utf8' },
  );
  if (error) process.stdout.write('skipped: the collector’s own validation: otelcol is not on PATH\n');
  else if (status !== 0) process.stdout.write(stdout + stderr);
  return error !== undefined || status === 0;
}

const findings = [...observabilityFindings(root), ...collectorFindings(root)];
for (const finding of findings) process.stdout.write(`${finding}\n`);
const passed = [promtool(), collector(), findings.length === 0];
process.exitCode = passed.every(Boolean) ? 0 : 1;
