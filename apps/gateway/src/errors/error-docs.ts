import { ERRORS, type ErrorCode } from '@novacron/contracts/errors';
import { ADVICE } from './advice.js';

const CODES = Object.keys(ERRORS) as ErrorCode[];

/** docs/errors.md: each code with its status, whether to retry, and its advice. */
export function errorsMarkdown(): string {
  const sections = CODES.map((code) => {
    const { status, retryable, title } = ERRORS[code];
    return `## ${code}\n\n${status} · ${retryable ? 'try again' : 'do not repeat as it is'} · ${title}\n\n${ADVICE[code]}\n`;
  });
  return [
    '# Errors\n',
    '<!-- Generated from the table in packages/contracts by `pnpm --filter @novacron/gateway generate`. -->\n',
    'Every error is `application/problem+json` (RFC 9457): `type title status code detail requestId retryable errors[]`.',
    'Decide by `code`; `detail` is for people. `type` is the path of the page of the code on the gateway.\n',
    ...sections,
  ].join('\n');
}

/** The page of one code, at `/errors/<code>`. It contains nothing from a request. */
export function errorPage(code: ErrorCode): string {
  const { status, retryable, title } = ERRORS[code];
  const again = retryable
    ? 'The same request may succeed when it is sent again.'
    : 'Sent again as it is, it fails again.';
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${code}</title>
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
<h1>${code}</h1><p><strong>${status}</strong> ${escape(title)}</p><p>${escape(ADVICE[code])}</p><p>${again}</p></html>\n`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
