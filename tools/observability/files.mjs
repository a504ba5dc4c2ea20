// The rules, dashboards and runbooks of a repository.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const RUNBOOKS = 'docs/runbooks';

function named(root, folder, ending) {
  const path = join(root, folder);
  const names = existsSync(path) ? readdirSync(path) : [];
  return names.filter((name) => name.endsWith(ending)).map((name) => `${folder}/${name}`);
}

export const rulePaths = (root) => named(root, 'infra/prometheus/rules', '.yml');
export const ruleTestPaths = (root) => named(root, 'infra/prometheus/tests', '.yml');
export const configPaths = (root) => named(root, 'infra/prometheus', '.yml');
export const runbookPaths = (root) => named(root, RUNBOOKS, '.md');
const json = (root, path) => JSON.parse(readFileSync(join(root, path), 'utf8'));
export const metricsList = (root) => json(root, 'infra/prometheus/metrics.generated.json');

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
  const paths = named(root, 'infra/grafana/dashboards', '.json');
  return paths.map((path) => ({ path, dashboard: json(root, path) }));
}

/** The panels of a dashboard, including those in rows. */
export function panelsOf({ panels = [] }) {
  return panels.flatMap((panel) => [panel, ...panelsOf(panel)]);
}
