import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '@novacron/contracts/ids';
import { hashApiToken, newApiToken } from '../../src/auth/api-token.js';
import { TokenVerifier, type StoredToken } from '../../src/auth/token-verifier.js';

const key = randomBytes(32);
const token = newApiToken();
let table: Map<string, StoredToken>;
let lookups: number;
let broken: boolean;
let now: number;
let verifier: TokenVerifier;

beforeEach(() => {
  [lookups, broken, now] = [0, false, 1_000];
  table = new Map();
  verifier = new TokenVerifier(
    key,
    async (hash) => {
      lookups += 1;
      if (broken) throw new Error('no database');
      return table.get(hash.toString('hex')) ?? null;
    },
    { capacity: 100, knownMs: 10_000, unknownMs: 2_000, graceMs: 60_000, now: () => now },
  );
});
const add = (expiresAt: number | null = null): void => {
  const caller = {
    tenantId: newId(),
    tenantName: 't',
    principal: 'token:1',
    credentialId: '1',
    ratePerSecond: null,
    roles: [],
  } as never;
  table.set(hashApiToken(key, token).toString('hex'), { caller, expiresAt });
};

describe('the token verifier', () => {
  it('looks an unknown token up only where that is allowed, and a known one in any case', async () => {
    const refuse = () => {
      throw new Error('spent');
    };
    add();
    expect(() => verifier.verifyHeader(`Bearer ${token}`, refuse)).toThrow('spent');
    expect(lookups).toBe(0);
    expect(await verifier.verifyHeader(`Bearer ${token}`)).not.toBeNull();
    now += 20_000;
    expect(await verifier.verifyHeader(`Bearer ${token}`, refuse)).not.toBeNull();
    expect(lookups).toBe(2);
  });

  it('looks a token up once for concurrent requests, and not again for a while', async () => {
    add();
    const callers = await Promise.all([
      verifier.verify(token),
      verifier.verify(token),
      verifier.verify(token),
    ]);
    expect(callers.every((caller) => caller !== null)).toBe(true);
    expect(verifier.verify(token)).not.toBeInstanceOf(Promise);
    expect(lookups).toBe(1);
  });

  it('notices a revocation when its verification expires', async () => {
    add();
    await verifier.verify(token);
    table.clear();
    now += 10_000;
    expect(await verifier.verify(token)).toBeNull();
  });

  it('notices a new token soon after it was refused', async () => {
    expect(await verifier.verify(token)).toBeNull();
    add();
    expect(await verifier.verify(token)).toBeNull();
    now += 2_000;
    expect(await verifier.verify(token)).not.toBeNull();
  });

  it('accepts no token past its expiry, remembered or not', async () => {
    add(now + 500);
    expect(await verifier.verify(token)).not.toBeNull();
    now += 500;
    expect(await verifier.verify(token)).toBeNull();
  });

  it('accepts verified tokens while the database is unreachable, for a bounded time', async () => {
    add();
    await verifier.verify(token);
    broken = true;
    now += 30_000;
    expect(await verifier.verify(token)).not.toBeNull();
    now += 31_000;
    await expect(verifier.verify(token)).rejects.toThrow('no database');
  });

  it('looks up only texts that have the form of a token', () => {
    for (const text of ['', 'x', 'a.b.c', 'nvc_ü'.repeat(20), 'x'.repeat(10_000)])
      expect(verifier.verify(text)).toBeNull();
    expect(lookups).toBe(0);
  });

  it('remembers a bounded number of tokens', async () => {
    for (let i = 0; i < 300; i++) await verifier.verify(newApiToken());
    expect((verifier as unknown as { verified: { size: number } }).verified.size).toBe(100);
  });
});
