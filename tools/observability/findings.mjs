// Finds faults in rules, dashboards and runbooks: they must fit each other and the metrics that services export.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  alertTestsOf,
  dashboardsOf,
  metricsList,
  panelsOf,
  RUNBOOKS,
  rulesOf,
  runbookPaths,
} from './files.mjs';
import { KnownMetrics } from './known-metrics.mjs';

const SEVERITIES = ['page', 'ticket'];
/** The headings of each runbook, in this order. */
const HEADINGS = ['What it means', 'What users see', 'How to look', 'What to do'];
const PANELS = ['timeseries', 'stat', 'table', 'row'];
/** Of Grafana 11 and 12. */
const SCHEMA_VERSION = 41;

const namesOf = (rules) => rules.filter(({ alert }) => alert).map(({ alert }) => alert);

function queriesOf(root, rules) {
  const ofRules = rules.map(({ path, alert, record, expr }) => ({
    where: `${path} ${alert ?? record}`,
    query: expr,
  }));
  const ofDashboards = dashboardsOf(root).flatMap(({ path, dashboard }) => [
    ...panelsOf(dashboard).flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: `${path} «${title}»`, query: expr })),
    ),
    ...(dashboard.templating?.list ?? [])
      .filter(({ type }) => type === 'query')
      .map(({ name, query }) => ({
        where: `${path} $${name}`,
        query: /^label_values\((.*),\s*\w+\)$/.exec(query?.query ?? '')?.[1] ?? '',
      })),
  ]);
  return [...ofRules, ...ofDashboards];
}

function wrongQueries(root, rules) {
  const recorded = rules.filter(({ record }) => record).map(({ record }) => record);
  const known = new KnownMetrics(metricsList(root), recorded);
  return queriesOf(root, rules).flatMap(({ where, query }) =>
    known.mistakesIn(query).map((mistake) => `${where}: ${mistake}`),
  );
}

function wrongAlerts(rules) {
  const alerts = rules.filter(({ alert }) => alert);
  return alerts.flatMap(({ path, alert, labels, annotations = {} }) => {
    const wrong = [];
    if (!SEVERITIES.includes(labels?.severity)) wrong.push(`severity is one of ${SEVERITIES.join(', ')}`);
    if (!annotations.summary) wrong.push('has no summary');
    if (annotations.runbook_url !== `${RUNBOOKS}/${alert}.md`)
      wrong.push(`its runbook_url is not ${RUNBOOKS}/${alert}.md`);
    if (alerts.filter((other) => other.alert === alert).length > 1) wrong.push('is there twice');
    return wrong.map((text) => `${path} ${alert}: ${text}`);
  });
}

function wrongTests(root, rules) {
  const cases = alertTestsOf(root);
  const alerts = namesOf(rules);
  const untested = (alert, title, fits) =>
    cases.some((one) => one.alertname === alert && fits(one.exp_alerts ?? []))
      ? []
      : [`${alert}: no test ${title}`];
  return [
    ...alerts.flatMap((alert) => [
      ...untested(alert, 'in which it fires', ({ length }) => length > 0),
      ...untested(alert, 'in which it does not fire', ({ length }) => length === 0),
    ]),
    ...cases
      .filter(({ alertname }) => !alerts.includes(alertname))
      .map(({ path, alertname }) => `${path}: no alert ${alertname}`),
  ];
}

function wrongRunbooks(root, rules) {
  const alerts = namesOf(rules);
  const pages = runbookPaths(root).filter((path) => basename(path) !== 'README.md');
  const names = pages.map((path) => basename(path, '.md'));
  const headings = (path) =>
    readFileSync(join(root, path), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('## '))
      .map((line) => line.slice(3));
  return [
    ...alerts.filter((name) => !names.includes(name)).map((name) => `${RUNBOOKS}/${name}.md is missing`),
    ...pages
      .filter((path) => !alerts.includes(basename(path, '.md')))
      .map((path) => `${path}: no alert of that name`),
    ...pages
      .filter((path) => headings(path).join() !== HEADINGS.join())
      .map((path) => `${path}: its headings are not ${HEADINGS.join(', ')}`),
  ];
}

function wrongDashboards(root) {
  const all = dashboardsOf(root);
  return all.flatMap(({ path, dashboard }) => {
    const wrong = [];
    if (all.filter((other) => other.dashboard.uid === dashboard.uid).length > 1)
      wrong.push('its uid is there twice');
    if (dashboard.schemaVersion !== SCHEMA_VERSION) wrong.push(`schemaVersion is not ${SCHEMA_VERSION}`);
    const panels = panelsOf(dashboard);
    if (panels.length === 0) wrong.push('has no panels');
    if (new Set(panels.map(({ id }) => id)).size < panels.length) wrong.push('two panels have one id');
    for (const { title, type, targets = [] } of panels) {
      if (!PANELS.includes(type)) wrong.push(`«${title}»: panels are ${PANELS.join(', ')}`);
      if (type !== 'row' && targets.length === 0) wrong.push(`«${title}» asks for nothing`);
      if (targets.some(({ datasource }) => datasource?.uid !== 'novacron-prometheus'))
        wrong.push(`«${title}» asks another datasource than the provisioned one`);
    }
    return wrong.map((text) => `${path}: ${text}`);
  });
}

/** Returns all faults below `root`, one line each. */
export function observabilityFindings(root) {
  const rules = rulesOf(root);
  return [
    ...wrongQueries(root, rules),
    ...wrongAlerts(rules),
    ...wrongTests(root, rules),
    ...wrongRunbooks(root, rules),
    ...wrongDashboards(root),
  ];
}
