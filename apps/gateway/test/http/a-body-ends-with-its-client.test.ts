import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createVm } from '@novacron/contracts/operations/vms';
import { pushMetrics } from '@novacron/contracts/operations/metrics';
import { BodyBudget } from '../../src/http/body-budget.js';
import { BodyReader } from '../../src/http/body-reader.js';

/** A request whose body has not ended, and its reply. */
function unfinished(headers: Record<string, string>): { raw: PassThrough; reply: FastifyReply } {
  const raw = new PassThrough();
  const requester = { caller: { tenantId: 'tenant' } };
  const request = { raw, requester, headers: { 'content-type': 'application/json', ...headers } };
  return { raw, reply: { raw: new PassThrough(), request } as unknown as FastifyReply };
}

describe('a body whose client disconnects', () => {
  it.each([
    ['of a declared length', createVm, { 'content-length': '100' }, '{'],
    ['in chunks', createVm, { 'transfer-encoding': 'chunked' }, '{'],
    [
      'in gzip',
      pushMetrics,
      { 'transfer-encoding': 'chunked', 'content-encoding': 'gzip' },
      gzipSync('{"series":[]}').subarray(0, 12),
    ],
  ])('%s is an error of the client, and frees its room', async (_what, operation, headers, sent) => {
    const budget = new BodyBudget();
    const { raw, reply } = unfinished(headers);
    const read = new BodyReader(budget).read(reply.request as FastifyRequest, reply, operation);
    raw.write(sent);
    setImmediate(() => {
      raw.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
      reply.raw.destroy();
    });
    await expect(read).rejects.toMatchObject({ code: 'malformed_request' });
    await new Promise(setImmediate);
    expect(budget.reserved).toBe(0);
  });
});
