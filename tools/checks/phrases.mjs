// Phrases that plain English avoids in comments, test titles and pages: docs/contributing.md, "English".
const PHRASES = /\bis no |\bwhoever\b|\bfor who\b|\bnobody /gi;

const COMMENTS = /\/\/.*|\/\*[\s\S]*?\*\//g;
const TITLES = /\b(?:it|test|describe)(?:\.\w+(?:\([\s\S]*?\))?)?\(\s*(['"`])[\s\S]*?\1/g;
const CODE = /^(apps|packages|acceptance|tools)\/.*\.(ts|mjs|js)$/;
const PAGE = /^(README|(docs|apps|packages|acceptance|tools)\/.*)\.md$/;
/** These files name the phrases. docs/errors.md has the titles of error codes, which are part of the API. */
const EXEMPT = /^tools\/checks\/(phrases|lint-rules-catch)|^docs\/errors\.md$/;

/** Finds the phrases in one file: `{severity, line, text}`. */
export function phrases(path, text) {
  if (EXEMPT.test(path) || !(PAGE.test(path) || CODE.test(path))) return [];
  const parts = PAGE.test(path)
    ? [{ index: 0, 0: text }]
    : [COMMENTS, TITLES].flatMap((pattern) => [...text.matchAll(pattern)]);
  return parts.flatMap(({ index: start, 0: part }) =>
    [...part.matchAll(PHRASES)].map(({ index, 0: phrase }) => ({
      severity: 'error',
      line: text.slice(0, start + index).split('\n').length,
      text: `"${phrase.trim()}": name the subject (docs/contributing.md, "English")`,
    })),
  );
}
