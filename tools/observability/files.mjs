// The rules, dashboards and runbooks of a repository.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const RULES = 'infra/prometheus/rules';
export const RULE_TESTS = 'infra/prometheus/tests';
export const CONFIGS = 'infra/prometheus';
const DASHBOARDS = 'infra/grafana/dashboards';
export const RUNBOOKS = 'docs/runbooks';
export const METRICS_LIST = 'infra/prometheus/metrics.generated.json';

function named(root, folder, ending) {
  const path = join(root, folder);
  const names = existsSync(path) ? readdirSync(path) : [];
  return names.filter((name) => name.endsWith(ending)).map((name) => `${folder}/${name}`);
}

export const rulePaths = (root) => named(root, RULES, '.yml');
export const ruleTestPaths = (root) => named(root, RULE_TESTS, '.yml');
export const configPaths = (root) => named(root, CONFIGS, '.yml');
const dashboardPaths = (root) => named(root, DASHBOARDS, '.json');
export const runbookPaths = (root) => named(root, RUNBOOKS, '.md');
export const metricsList = (root) => JSON.parse(readFileSync(join(root, METRICS_LIST), 'utf8'));

/** All rules, each with its file. */
export function rulesOf(root) {
  return rulePaths(root).flatMap((path) =>
    parse(readFileSync(join(root, path), 'utf8')).groups.flatMap(({ rules }) =>
      rules.map((rule) => ({ path, ...rule })),
    ),
  );
}

/** All cases of the rules' tests: `{path, alertname, eval_time, exp_alerts}`. */
export function alertTestsOf(root) {
  return ruleTestPaths(root).flatMap((path) =>
    parse(readFileSync(join(root, path), 'utf8')).tests.flatMap(({ alert_rule_test: cases }) =>
      cases.map((one) => ({ path, ...one })),
    ),
  );
}

/** All dashboards with their paths. */
export function dashboardsOf(root) {
  return dashboardPaths(root).map((path) => ({
    path,
    dashboard: JSON.parse(readFileSync(join(root, path), 'utf8')),
  }));
}

/** The panels of a dashboard, including those in rows. */
export function panelsOf({ panels = [] }) {
  return panels.flatMap((panel) => [panel, ...panelsOf(panel)]);
}
