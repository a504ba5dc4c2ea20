import { expect, it } from '@jest/globals';
import { gunzipSync } from 'node:zlib';
import type { BalancerKind } from './balancer.js';
import type { Client } from './client.js';

const TOKEN = { authorization: 'Bearer nvc_this-is-nobodys-token-but-a-token' };
const GZIP = { ...TOKEN, 'accept-encoding': 'gzip' };

/** Which answers are made smaller. HAProxy leaves them all as they are. */
export function compression(kind: BalancerKind, client: () => Client): void {
  const plainly = async (size: number, headers: Record<string, string>) => {
    const answer = await client().ask(`/api/v1/vms?size=${size}`, { headers });
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect([answer.body.length, answer.headers.etag]).toEqual([size, '"7"']);
  };

  if (kind === 'nginx') {
    it.each([1_000, 40_000])('is for %d bytes, and says that answers vary by it', async (size) => {
      const answer = await client().ask(`/api/v1/vms?size=${size}`, { headers: GZIP });
      expect(answer.headers['content-encoding']).toBe('gzip');
      expect(gunzipSync(answer.body)).toHaveLength(size);
      expect(answer.headers.vary?.split(', ').sort()).toEqual(['Accept-Encoding', 'Authorization']);
    });

    it('is not for 999 bytes', () => plainly(999, GZIP));
  } else {
    it('is left to others', () => plainly(40_000, GZIP));
  }

  it('is not for who does not ask for it', () => plainly(40_000, TOKEN));
}
