import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { bodyHash, canonicalJson } from '../../src/reads/canonical-json.js';
import { ConsistencyTokens } from '../../src/consistency/consistency-token.js';
import { newApiToken } from '../../src/auth/api-token.js';
import { prefersJson } from '../../src/http/accept.js';
import { preferredWait } from '../../src/http/prefer.js';

describe('canonical JSON', () => {
  it('is the same value for any order of its keys', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (value === null || typeof value !== 'object') return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, field]) => [key, shuffled(field)]),
      );
    };
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
        expect(bodyHash(shuffled(value))).toBe(bodyHash(value));
      }),
    );
  });

  it('differs for two values', () => {
    expect(bodyHash({ a: 1 })).not.toBe(bodyHash({ a: '1' }));
    expect(bodyHash({ a: [1, 2] })).not.toBe(bodyHash({ a: [2, 1] }));
  });
});

describe('a consistency token', () => {
  const tokens = new ConsistencyTokens(randomBytes(32));
  const position = fc.record({
    systemId: fc.bigInt(0n, 2n ** 64n - 1n).map(String),
    timeline: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    lsn: fc.bigInt(0n, 2n ** 64n - 1n),
  });

  it('returns the position that was signed', () => {
    fc.assert(fc.property(position, (p) => expect(tokens.verify(tokens.sign(p))).toEqual(p)));
  });

  it('with any one bit changed is refused', () => {
    const bytes = Buffer.from(tokens.sign({ systemId: '1', timeline: 1, lsn: 1n }), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => tokens.verify(changed.toString('base64url'))).toThrow(/invalid_token/);
    }
  });
});

it('an API token is 256 random bits', () => {
  expect(Buffer.from(newApiToken().slice('nvc_'.length), 'base64url')).toHaveLength(32);
  expect(newApiToken()).not.toBe(newApiToken());
});

it('Prefer: wait is read beside other preferences, and bounded', () => {
  const read = [
    'wait=5',
    'respond-async, wait=10',
    'wait = "7"; x',
    'wait=1000',
    'await=5',
    'wait=-1',
    '',
  ].map(preferredWait);
  expect(read).toEqual([5, 10, 7, 60, 0, 0, 0]);
});

it('Accept prefers JSON only where it names JSON', () => {
  const json = ['application/json', 'application/*', 'text/plain;q=0.5, application/json'];
  const text = [
    undefined,
    '*/*',
    'text/plain',
    'text/html,application/xhtml+xml,*/*;q=0.8',
    'application/json;q=0.1, text/plain',
  ];
  expect(json.map(prefersJson)).toEqual([true, true, true]);
  expect(text.map((accept) => prefersJson(accept))).toEqual([false, false, false, false, false]);
});
