import { expect, it } from '@jest/globals';
import { gunzipSync } from 'node:zlib';
import type { BalancerKind } from './balancer.js';
import type { Client } from './client.js';

const TOKEN = { authorization: 'Bearer nvc_this-is-nobodys-token-but-a-token' };
const GZIP = { ...TOKEN, 'accept-encoding': 'gzip' };

/** Which answers are compressed. HAProxy compresses none. */
export function compression(kind: BalancerKind, client: () => Client): void {
  const plainly = async (size: number, headers: Record<string, string>) => {
    const answer = await client().ask(`/api/v1/vms?size=${size}`, { headers });
    expect(answer.headers['content-encoding']).toBeUndefined();
    expect([answer.body.length, answer.headers.etag]).toEqual([size, '"7"']);
  };

  if (kind === 'nginx') {
    it.each([1_000, 40_000])('applies to %d bytes, with a Vary header', async (size) => {
      const answer = await client().ask(`/api/v1/vms?size=${size}`, { headers: GZIP });
      expect(answer.headers['content-encoding']).toBe('gzip');
      expect(gunzipSync(answer.body)).toHaveLength(size);
      expect(answer.headers.vary?.split(', ').sort()).toEqual(['Accept-Encoding', 'Authorization']);
    });

    it('does not apply to 999 bytes', () => plainly(999, GZIP));
  } else {
    it('does not happen in HAProxy', () => plainly(40_000, GZIP));
  }

  it('does not apply without Accept-Encoding', () => plainly(40_000, TOKEN));
}
