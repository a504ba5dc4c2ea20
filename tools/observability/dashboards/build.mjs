// Grafana's JSON of dashboards, built from titles, units and queries.
const DATASOURCE = { type: 'prometheus', uid: 'novacron-prometheus' };
const WIDTH = 24;
const SIZES = { timeseries: { w: 8, h: 8 }, stat: { w: 4, h: 4 }, table: { w: 24, h: 9 } };

const steps = (thresholds) => [
  { color: 'green', value: null },
  ...Object.entries(thresholds).map(([color, value]) => ({ color, value })),
];

function targetsOf(queries, more) {
  return Object.entries(queries).map(([legendFormat, expr], index) => ({
    refId: String.fromCharCode(65 + index),
    datasource: DATASOURCE,
    editorMode: 'code',
    expr,
    legendFormat,
    ...more,
  }));
}

function panel(type, title, unit, queries, { description = '', thresholds = {}, min = 0, max, ...size }) {
  const limits = max === undefined ? { min } : { min, max };
  return {
    type,
    title,
    description,
    datasource: DATASOURCE,
    gridPos: { ...SIZES[type], ...size },
    fieldConfig: {
      defaults: { unit, ...limits, thresholds: { mode: 'absolute', steps: steps(thresholds) } },
      overrides: [],
    },
    targets: targetsOf(queries, { range: true }),
  };
}

/** Lines over time; `queries`: `{legend: PromQL}`. */
export function graph(title, unit, queries, options = {}) {
  const made = panel('timeseries', title, unit, queries, options);
  made.fieldConfig.defaults.custom = { lineWidth: 1, fillOpacity: 8, showPoints: 'never', spanNulls: false };
  const legend = { displayMode: 'list', placement: 'bottom', showLegend: true };
  return { ...made, options: { legend, tooltip: { mode: 'multi', sort: 'desc' } } };
}

/** One number, `calc` of the range: the last, or the mean. */
export function stat(title, unit, expr, { calc = 'lastNotNull', ...options } = {}) {
  const reduceOptions = { calcs: [calc], fields: '', values: false };
  const shown = {
    reduceOptions,
    colorMode: 'value',
    graphMode: 'area',
    textMode: 'value',
    justifyMode: 'auto',
  };
  return { ...panel('stat', title, unit, { [title]: expr }, options), options: shown };
}

/** A row for each set of labels, a column for each query; `queries`: `{column: [unit, PromQL]}`. */
export function table(title, queries, options = {}) {
  const exprs = Object.fromEntries(Object.entries(queries).map(([name, [, expr]]) => [name, expr]));
  const made = panel('table', title, 'short', exprs, options);
  made.targets = targetsOf(exprs, { instant: true, range: false, format: 'table' });
  const columns = Object.entries(queries).map(([name, [unit]], index) => ({
    name,
    unit,
    value: `Value #${String.fromCharCode(65 + index)}`,
  }));
  made.fieldConfig.overrides = columns.map(({ name, unit }) => ({
    matcher: { id: 'byName', options: name },
    properties: [{ id: 'unit', value: unit }],
  }));
  const renameByName = Object.fromEntries(columns.map(({ value, name }) => [value, name]));
  made.transformations = [
    { id: 'merge', options: {} },
    { id: 'organize', options: { excludeByName: { Time: true }, indexByName: {}, renameByName } },
  ];
  return { ...made, options: { showHeader: true, cellHeight: 'sm', footer: { show: false } } };
}

/** Panels from left to right, row after row, below their title. */
function layOut(rows) {
  let y = 0;
  let id = 0;
  return Object.entries(rows).flatMap(([title, panels]) => {
    const header = {
      id: ++id,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y: y++, w: WIDTH, h: 1 },
    };
    let x = 0;
    let height = 0;
    const placed = panels.map((one) => {
      const { w, h } = one.gridPos;
      if (x + w > WIDTH) [x, y, height] = [0, y + height, 0];
      const at = { id: ++id, ...one, gridPos: { x, y, w, h } };
      [x, height] = [x + w, Math.max(height, h)];
      return at;
    });
    y += height;
    return [header, ...placed];
  });
}

function variable(name, query) {
  return {
    name,
    label: name,
    type: 'query',
    datasource: DATASOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: ['All'], value: ['$__all'] },
    sort: 1,
  };
}

/** `variables`: `{name: 'label_values(series, label)'}`; `rows`: `{title: panels}`. */
export function dashboard({ uid, title, description, variables, rows }) {
  return {
    uid,
    title,
    description,
    tags: ['novacron'],
    schemaVersion: 41,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    annotations: { list: [] },
    links: [{ type: 'dashboards', title: 'NovaCron', tags: ['novacron'], asDropdown: true, keepTime: true }],
    templating: { list: Object.entries(variables).map(([name, query]) => variable(name, query)) },
    panels: layOut(rows),
  };
}

/** A quantile of a histogram, by labels. */
export function quantile(q, histogram, matchers, by = []) {
  const grouping = ['le', ...by].join(', ');
  return `histogram_quantile(${q}, sum by (${grouping}) (rate(${histogram}_bucket{${matchers}}[$__rate_interval])))`;
}

/** A rate, summed up by labels. */
export function rate(counter, matchers, by = []) {
  const summed = `(rate(${counter}{${matchers}}[$__rate_interval]))`;
  return by.length === 0 ? `sum ${summed}` : `sum by (${by.join(', ')}) ${summed}`;
}
