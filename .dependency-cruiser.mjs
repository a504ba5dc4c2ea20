// The boundaries between packages and apps. An import goes down this list of floors, never up and never sideways; what is
// not on the list (the tools for people and tests) is used by no service.
const FLOORS = [
  ['vm-lifecycle', 'async'],
  ['telemetry', 'config', 'contracts'],
  ['postgres', 'messaging', 'redis'],
  ['cache', 'outbox'],
  ['service-kit'],
];
/** The tools for people and tests, from the bottom up: each imports only what is left of it. */
const ASIDE = ['provisioning', 'local-stack', 'testkit', 'history-checker', 'bench'];

/** Tests, and what only tests load. They may start real servers, and a service out of another package. */
const TESTS = String.raw`(^((apps|packages)/[^/]+|acceptance)/test/|\.(test|harness)\.ts$)`;
/** The programs of the apps, what `npm run bench` starts of them, and their tests. */
const ENTRIES = String.raw`^apps/[^/]+/(src/(main|migrate|seed|generate|replay)\.ts|test/bench/[^/]+\.ts|.*\.test\.ts)$`;
const folders = (names) => `^packages/(${names.join('|')})/`;

const upward = FLOORS.map((names, floor) => {
  const forbidden = [...FLOORS.slice(floor + 1).flat(), ...names];
  return {
    name: `floor-${floor}-imports-only-what-is-below`,
    comment: `${names.join(', ')}: import only from a lower floor; move what both need down`,
    severity: 'error',
    from: { path: folders(names), pathNot: TESTS },
    // $1 is the importing package: its own files are allowed.
    to: { path: folders(forbidden), pathNot: '^packages/$1/' },
  };
});

/**
 * The rooms of an app, `apps/<app>/src/<folder>/`, floor by floor from top to bottom. A folder imports the floors below
 * it, and those of its own floor that stand to its right. So no two folders import each other, and there is no circle.
 * Type imports count. Of the files beside the rooms only `config.ts` may be imported, which imports no room itself.
 */
export function floorsOf(app, floors) {
  const src = `^apps/${app}/src/`;
  const rooms = floors.flat();
  const within = (names) => names.map((name) => `${src}${name}/`);
  const rule = (name, comment, from, to) => ({
    name: `${app}-${name}`,
    comment,
    severity: 'error',
    from,
    to,
  });
  const below = rooms.slice(1).map((room, index) => {
    const inner = rooms.filter((other) => other.startsWith(`${room}/`));
    return rule(
      `${room}-imports-only-what-is-below`,
      `${room}: move what both need down, or let the room above pass a function`,
      { path: within([room]), pathNot: [TESTS, ...within(inner)] },
      { path: within(rooms.slice(0, index + 1)), pathNot: within([room]) },
    );
  });
  return [
    ...below,
    rule(
      'rooms-import-no-file-beside-them',
      'main.ts and app.module.ts put the rooms together; only config.ts is for all',
      { path: within(rooms), pathNot: TESTS },
      { path: `${src}[^/]+$`, pathNot: `${src}config\\.ts$` },
    ),
    rule(
      'config-imports-no-room',
      'Every room may import it',
      { path: `${src}config\\.ts$` },
      { path: `${src}[^/]+/` },
    ),
    rule(
      'every-folder-is-a-room',
      'Give the folder a floor, in the call of floorsOf',
      { path: `${src}[^/]+/`, pathNot: [TESTS, ...within(rooms)] },
      {},
    ),
  ];
}
const asideUpward = ASIDE.slice(0, -1).map((name, place) => ({
  name: `${name}-imports-only-lower-tools`,
  comment: `${name}: import only tools that stand before it in ASIDE`,
  severity: 'error',
  from: { path: folders([name]), pathNot: TESTS },
  to: { path: folders(ASIDE.slice(place + 1)) },
}));

export default {
  forbidden: [
    ...upward,
    ...floorsOf('metrics-ingest', [['intake', 'query'], ['vms', 'store'], ['migrations']]),
    ...floorsOf('host-agent', [['hosts'], ['agent'], ['drivers'], ['state', 'time']]),
    ...floorsOf('gateway', [
      ['hot-reads'],
      ['vms', 'jobs', 'metrics', 'infrastructure', 'tenancy', 'operations', 'public', 'openapi'],
      ['errors'],
      ['auth'],
      ['http'],
      ['waits', 'consistency', 'limits'],
      ['reads', 'migrations'],
    ]),
    ...floorsOf('cache-invalidator', [
      ['stats'],
      ['check', 'warm'],
      ['invalidate'],
      ['ledger'],
      ['messages', 'redis', 'migrations'],
    ]),
    ...floorsOf('vm-orchestrator', [
      ['api', 'migrations'],
      ['drain', 'restarts', 'maintenance'],
      ['admission'],
      ['operations'],
      ['jobs'],
      ['resync', 'placement'],
      ['hosts'],
      ['vms'],
      ['quotas'],
      ['outbox', 'database'],
    ]),
    {
      name: 'packages-do-not-import-apps',
      comment: 'A package serves the apps and knows none of them; tests may start one as a process',
      severity: 'error',
      from: { path: '^(packages|acceptance)/' },
      to: { path: '^apps/' },
    },
    {
      name: 'apps-do-not-import-apps',
      comment: 'Services know of each other only what packages/contracts says',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'services-do-not-import-tools',
      comment: 'The packages of ASIDE are for people, tests and scripts',
      severity: 'error',
      from: { path: ['^apps/', folders(FLOORS.flat())], pathNot: TESTS },
      to: { path: folders(ASIDE) },
    },
    ...asideUpward,
    {
      name: 'sources-do-not-import-tests',
      severity: 'error',
      from: { path: '^(apps|packages)/', pathNot: TESTS },
      to: { path: TESTS },
    },
    {
      name: 'no-way-around-the-exports',
      comment: 'Another package is imported by its name, not by a path into its folder',
      severity: 'error',
      from: { path: '^((apps|packages)/[^/]+|acceptance)/' },
      to: { path: '^(apps|packages)/', pathNot: '^$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'no-cycles',
      comment: 'Files that need each other to load. A type that two files share is erased, and no such need',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-to-unresolvable',
      comment:
        'The import leads nowhere: a missing dependency in package.json, or a package that is not built',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'apps-hold-no-unused-file',
      comment: 'Neither a program of the app nor a test leads here; delete it',
      severity: 'error',
      from: { path: ENTRIES },
      to: { path: '^apps/[^/]+/(src|test)/', pathNot: ENTRIES, reachable: false },
    },
    {
      name: 'contracts-run-in-browsers',
      comment: 'Gateway, SDK, command line and console import the contracts: no server, and nothing of Node',
      severity: 'error',
      from: { path: '^packages/contracts/src/', pathNot: TESTS },
      to: {
        pathNot: [
          '^packages/(contracts|vm-lifecycle)/',
          '^packages/async/[^/]+/hash\\.',
          '/node_modules/(zod|uuidv7)/',
        ],
      },
    },
    {
      name: 'vm-lifecycle-imports-nothing',
      severity: 'error',
      from: { path: '^packages/vm-lifecycle/src/', pathNot: TESTS },
      to: { pathNot: '^packages/vm-lifecycle/' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/dist/'] },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
  },
};
