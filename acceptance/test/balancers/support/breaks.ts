import { expect, it } from '@jest/globals';
import { Balancer, type BalancerKind } from './balancer.js';
import { Client, json } from './client.js';
import { Upstream } from './upstream.js';

const TOKEN = { authorization: 'Bearer nvc_this-is-nobodys-token-but-a-token' };

/** Requests at a gateway that dies, and requests without any gateway. */
export function breaks(kind: BalancerKind, upstream: () => Upstream): void {
  /** Sends two requests. @returns the worst answer, and the number of requests at the two upstreams */
  const tries = async (asked: Parameters<Client['ask']>[1]) => {
    const broken = await Upstream.listen();
    broken.breaks = true;
    const both = await Balancer.start(kind, { gateways: [broken.address, upstream().address] });
    const plain = new Client(both.httpPort);
    const before = upstream().seen.length;
    // Round robin: one of two requests went to the broken upstream.
    const answers = [await plain.ask('/api/v1/vms', asked), await plain.ask('/api/v1/vms', asked)];
    const worst = Math.max(...answers.map(({ status }) => status));
    plain.close();
    await both.stop();
    await broken.close();
    expect(broken.seen.length).toBeGreaterThan(0);
    return { worst, broken: broken.seen.length, whole: upstream().seen.length - before };
  };

  it('causes only a second attempt of a GET, a DELETE or a POST with Idempotency-Key', async () => {
    const key = { ...TOKEN, 'idempotency-key': 'k1' };
    const waiting = { ...key, prefer: 'respond-async, wait=20' };
    expect(await tries({ headers: TOKEN })).toMatchObject({ worst: 200, whole: 2 });
    expect(await tries({ method: 'DELETE', headers: TOKEN })).toMatchObject({ worst: 200, whole: 2 });
    expect(await tries({ method: 'POST', headers: key, body: '{}' })).toMatchObject({ worst: 200, whole: 2 });
    expect(await tries({ method: 'POST', headers: waiting, body: '{}' })).toMatchObject({
      worst: 200,
      whole: 2,
    });
  });

  it('fails a POST without a key and a PATCH, which must not be sent twice', async () => {
    for (const method of ['POST', 'PATCH']) {
      const asked = await tries({ method, headers: TOKEN, body: '{}' });
      expect({ method, ...asked }).toEqual({ method, worst: 503, broken: 1, whole: 1 });
    }
  });

  it('causes a 503 as problem+json with Retry-After and the request’s id when no other is left', async () => {
    const none = await Balancer.start(kind, { gateways: ['127.0.0.1:9'] });
    const plain = new Client(none.httpPort);
    const answer = await plain.ask('/api/v1/vms', { headers: { ...TOKEN, 'x-request-id': 'order-67' } });
    expect([answer.status, answer.headers['content-type'], answer.headers['retry-after']]).toEqual([
      503,
      'application/problem+json',
      '1',
    ]);
    expect(json(answer)).toMatchObject({ code: 'dependency_down', requestId: 'order-67', retryable: true });
    plain.close();
    await none.stop();
  });
}
