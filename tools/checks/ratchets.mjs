// Habits that no linter knows: each a function from (path, text) to what is wrong.
const CODE = /\.(ts|mjs|js)$/;
const GENERATED = /\.generated\.|(^|\/)pnpm-lock\.yaml$/;
/** This folder names the words that it forbids. */
const SELF = /^tools\/checks\//;

const WARN_LINES = 250;
const MOST_LINES = 400;

function linesOf(text) {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

/** A long file is where design stopped. */
function length(path, text) {
  const lines = linesOf(text);
  if (!CODE.test(path) || lines <= WARN_LINES) return [];
  const severity = lines > MOST_LINES ? 'error' : 'warning';
  return [
    { severity, text: `${lines} lines: split it (more than ${WARN_LINES} is long, ${MOST_LINES} the most)` },
  ];
}

function* matchingLines(text, pattern) {
  const lines = text.split('\n');
  for (const [index, line] of lines.entries())
    if (pattern.test(line)) yield { index, line, before: lines[index - 1] ?? '' };
}

function forbidLines(pattern, message, allowed = () => false) {
  return (_path, text) =>
    [...matchingLines(text, pattern)]
      .filter((match) => !allowed(match))
      .map(({ index }) => ({ severity: 'error', line: index + 1, text: message }));
}

/** Only what the machine cannot do may be skipped, and the line (or the one above) says what that is. */
const skipped = forbidLines(
  /\b(it|test|describe)(\.\w+)?\.skip\(|\b(xit|xdescribe|xtest)\(/,
  'a skipped test guards nothing; only QEMU tests may be skipped, with the reason in the line',
  ({ line, before }) => /qemu/i.test(line) || /qemu/i.test(before),
);

const machinePaths = forbidLines(
  /(^|[\s'"`(=:])\/(work|root|Users)\/|(^|[\s'"`(=:])\/home\/\w|(^|[\s'"`(=:])\/tmp\//,
  'a path of one machine; make it relative, or take it from os.tmpdir()',
);

const barrels = forbidLines(
  /^export \* from /,
  'a barrel; packages expose subpaths, files import from where a thing is',
);

/** A value of outside in a subject may split it, widen it, or make it one that NATS never takes. */
const SUBJECT =
  /`(events|hosts|agents|metrics\.ingest|watermarks|wake|rpc|invalidations|_INBOX)\.[^`]*\$\{(?!string\})/;
const HANDMADE = forbidLines(
  SUBJECT,
  'a subject made by hand: subjectOf, subjectPattern and inboxPrefix of @novacron/contracts/subject refuse what may not be in one',
);
/** A test may say a subject in full. */
function subjects(path, text) {
  const free = /(^|\/)test\/|\.test\.ts$|\.fixture\.ts$/;
  return free.test(path) ? [] : HANDMADE(path, text);
}

/** One version of each dependency, in the catalog of pnpm-workspace.yaml. */
function catalog(path, text) {
  if (!/^((apps|packages)\/[^/]+\/|acceptance\/)?package\.json$/.test(path)) return [];
  const { dependencies = {}, devDependencies = {} } = JSON.parse(text);
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, version]) => version !== 'catalog:' && version !== 'workspace:*')
    .map(([name]) => ({
      severity: 'error',
      text: `${name}: take its version from the catalog ("catalog:")`,
    }));
}

/** Actions by commit, since a tag can be moved; no more rights than said; an end in any case. */
function workflows(path, text) {
  if (!/^\.github\/workflows\/[^/]+\.ya?ml$/.test(path)) return [];
  const actions = forbidLines(/\buses:/, 'an action that is not pinned to a commit', ({ line }) =>
    /uses: [\w./-]+@[0-9a-f]{40} # v\d/.test(line),
  );
  const missing = ['permissions', 'concurrency', 'timeout-minutes'].filter(
    (key) => !new RegExp(`^ *${key}:`, 'm').test(text),
  );
  const gaps = missing.map((key) => ({ severity: 'error', text: `a workflow says its ${key}` }));
  return [...actions(path, text), ...gaps];
}

function ratchetsFor(path) {
  if (GENERATED.test(path) || SELF.test(path)) return [];
  const inCode = CODE.test(path) ? [length, skipped, barrels, subjects] : [];
  return [...inCode, machinePaths, catalog, workflows];
}

/** What is wrong in one file: `{path, line?, severity: 'error' | 'warning', text}`. */
export function findingsIn(path, text) {
  return ratchetsFor(path).flatMap((ratchet) => ratchet(path, text).map((finding) => ({ path, ...finding })));
}
