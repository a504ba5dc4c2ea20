// Lint rules that no linter has: each is a function from (path, text) to findings.
import { phrases } from './phrases.mjs';

const CODE = /\.(ts|mjs|js)$/;
const GENERATED = /\.generated\.|(^|\/)pnpm-lock\.yaml$/;
/** This folder contains the forbidden words. */
const SELF = /^tools\/checks\//;

const WARN_LINES = 250;
const MOST_LINES = 400;

function linesOf(text) {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

/** A long file has too many responsibilities. */
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

/** Only tests that need QEMU may be skipped, and the line (or the one above) must say so. */
const skipped = forbidLines(
  /\b(it|test|describe)(\.\w+)?\.skip\(|\b(xit|xdescribe|xtest)\(/,
  'a skipped test protects nothing; only QEMU tests may be skipped, with the reason in the line',
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

/** An outside value in a subject may split it, widen it, or make it illegal. */
const SUBJECT =
  /`(events|hosts|agents|metrics\.ingest|watermarks|wake|rpc|invalidations|_INBOX)\.[^`]*\$\{(?!string\})/;
const HANDMADE = forbidLines(
  SUBJECT,
  'a subject made by hand: use subjectOf, subjectPattern or inboxPrefix of @novacron/contracts/subject, which refuse illegal values',
);
/** Tests may contain whole subjects. */
function subjects(path, text) {
  const free = /(^|\/)test\/|\.test\.ts$|\.harness\.ts$/;
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

/** Workflows pin actions to a commit, because a tag can move, and declare permissions, concurrency and a timeout. */
function workflows(path, text) {
  if (!/^\.github\/workflows\/[^/]+\.ya?ml$/.test(path)) return [];
  const actions = forbidLines(/\buses:/, 'an action that is not pinned to a commit', ({ line }) =>
    /uses: [\w./-]+@[0-9a-f]{40} # v\d/.test(line),
  );
  const missing = ['permissions', 'concurrency', 'timeout-minutes'].filter(
    (key) => !new RegExp(`^ *${key}:`, 'm').test(text),
  );
  const gaps = missing.map((key) => ({ severity: 'error', text: `a workflow must declare its ${key}` }));
  return [...actions(path, text), ...gaps];
}

function rulesFor(path) {
  if (GENERATED.test(path)) return [];
  if (SELF.test(path)) return [phrases];
  const inCode = CODE.test(path) ? [length, skipped, barrels, subjects] : [];
  return [...inCode, machinePaths, catalog, workflows, phrases];
}

/** The findings in one file: `{path, line?, severity: 'error' | 'warning', text}`. */
export function findingsIn(path, text) {
  return rulesFor(path).flatMap((rule) => rule(path, text).map((finding) => ({ path, ...finding })));
}
