import { describe, expect, it } from '@jest/globals';
import { expectedVersion, noneMatch } from '../../src/http/etag.js';
import { etagOf } from '../../src/reads/cached-headers.js';
import { contentTag } from '../../src/reads/cached-headers.js';

/** What proxies make of `"4"` when they compress: Apache and Caddy, Jetty, older Apaches, nginx. */
const CHANGED = ['"4-gzip"', '"4-br"', '"4-zstd"', '"4--gzip"', '"4;gzip"', '"4:br"', 'W/"4"', 'W/"4-gzip"'];

describe('If-Match', () => {
  it.each(['"4"', ...CHANGED])('names version 4: %s', (tag) => expect(expectedVersion(tag)).toBe(4));

  it.each([
    ['"3", "4"', [3, 4]],
    ['"3","4-gzip" ,W/"5"', [3, 4, 5]],
    [',"3",, "4",', [3, 4]],
    ['"a,b", "4"', 4],
    ['"other", "3", "4"', [3, 4]],
    ['*', undefined],
    [undefined, undefined],
  ])('takes a list: %s', (header, versions) => expect(expectedVersion(header)).toEqual(versions));

  it.each(['"a"', '"a", "b"', '"4-unknown"', '"1.5"', '""'])('that names no version is 412: %s', (header) =>
    expect(() => expectedVersion(header)).toThrow(/precondition_failed/),
  );

  it.each([
    '',
    ',',
    '4',
    '"4',
    '"4" "5"',
    '"4", 5',
    '"4"x',
    'w/"4"',
    '*, "4"',
    Array(101).fill('"4"').join(),
  ])('that is not a list of tags is 422: %s', (header) =>
    expect(() => expectedVersion(header)).toThrow(/invalid_request/),
  );
});

describe('If-None-Match', () => {
  it.each(['"4"', '*', '"3", "4"', ...CHANGED])('names version 4: %s', (header) =>
    expect(noneMatch(header, etagOf(4))).toBe(false),
  );

  it.each([undefined, '"3"', '"44"', '"4', '"4-unknown"', '"a,4"'])('does not name version 4: %s', (header) =>
    expect(noneMatch(header, etagOf(4))).toBe(true),
  );

  it('names content, also when its tag ends like a suffix', () => {
    const tag = contentTag(Buffer.from('content'));
    for (const sent of [tag, tag.replace(/"$/, '-gzip"'), `W/${tag}`])
      expect(noneMatch(sent, tag)).toBe(false);
    expect(noneMatch('"abc-br"', '"abc-br"')).toBe(false);
    expect(noneMatch('"x", "abc-br"', '"abc-br"')).toBe(false);
  });
});

describe('a header that is not a list of tags', () => {
  const blanks = ' \t'.repeat(3_900);
  const wrong = [
    ['blanks', `,${blanks}x`],
    ['blanks after a tag', `"4"${blanks}x`],
    ['elements of blanks', `${' ,'.repeat(3_900)}x`],
    ['tags without an end', `"${'W/'.repeat(3_900)}`],
  ] as const;

  it.each(wrong)('takes a time that is linear in its length: %s', (_name, header) => {
    const before = process.cpuUsage();
    for (let i = 0; i < 20; i++) {
      expect(noneMatch(header, etagOf(4))).toBe(true);
      expect(() => expectedVersion(header)).toThrow(/invalid_request/);
    }
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(3_000);
  });

  it('is refused without parsing when it is too long', () => {
    const long = `"4",${' '.repeat(8_000)}`;
    expect(noneMatch(long, etagOf(4))).toBe(true);
    expect(() => expectedVersion(long)).toThrow(/invalid_request/);
  });
});
