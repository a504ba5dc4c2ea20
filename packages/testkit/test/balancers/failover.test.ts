import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AnotherGateway, startAnotherGateway } from '@novacron/local-stack/another-gateway';
import { type TestStack, useTestStack } from '../../src/stack.js';
import { privateDirectory } from '../../src/test-home.js';
import { Api, guideBody } from '../e2e/support/api.js';
import { note } from '../e2e/support/note.js';
import { Balancer, type BalancerKind, canRun } from './support/balancer.js';
import { type Certificate, makeCertificate } from './support/certificate.js';
import { Client } from './support/client.js';
import { underLoad } from './support/load.js';

const KINDS = (['nginx'] as const).filter(canRun);

// Skipped where nginx is missing: `npm test` installs it by apt as root, and says in a line when it cannot.
(KINDS.length > 0 ? describe : describe.skip)('two gateways, one of which goes away under load', () => {
  let certificate: Certificate;
  let stack: TestStack;
  let api: Api;
  let second: AnotherGateway;
  let vmId: string;

  beforeAll(async () => {
    certificate = makeCertificate(privateDirectory());
    stack = await useTestStack({ simHosts: 2, replica: false });
    api = new Api(stack.url, stack.token);
    vmId = (await api.create(guideBody('read-all-the-time'))).body.id;
    second = await startAnotherGateway(stack);
  }, 180_000);
  afterAll(async () => {
    await second?.end('SIGKILL');
    await stack?.remove();
  }, 60_000);

  /** The second gateway ends by this signal in the middle of the load, and comes back before it is over. */
  const goesAway = async (kind: BalancerKind, signal: NodeJS.Signals): Promise<void> => {
    const gateways = [new URL(stack.url).host, `127.0.0.1:${second.httpPort}`];
    const balancer = await Balancer.start(kind, { gateways, certificate });
    const client = new Client(balancer.httpsPort, certificate.ca, 16);
    const prefix = `${kind}-${signal.toLowerCase()}`;
    const load = await underLoad(client, { lanes: 16, token: stack.token, prefix, vmId }, async () => {
      await sleep(1_000);
      expect(await second.end(signal)).toBe(signal === 'SIGTERM' ? 0 : null);
      await sleep(1_000);
      second = await startAnotherGateway(stack, { httpPort: second.httpPort });
      await sleep(500);
    });
    const retried = balancer.retried();
    const served = gateways.map((gateway) => balancer.log().split(gateway).length - 1);
    client.close();
    await balancer.stop();
    note(
      `${kind}, ${signal}: ${load.answered} requests, ${retried} sent twice, ${load.failures.length} failed, ${load.inProgress} of ${load.created.size} creates asked again, slowest ${Math.round(load.slowestMs)} ms; ${served.join(' and ')} went to the two`,
    );
    expect(load.failures).toEqual([]);
    if (signal === 'SIGKILL') expect(retried).toBeGreaterThan(0);
    // Both had their share, so that one of them was really missed.
    expect(Math.min(...served)).toBeGreaterThan(20);
    // Sent twice or not, each create made one VM, and its answer names it.
    const made = (await api.list(`${prefix}-`)).map(({ id }) => id).sort();
    expect(made).toEqual([...load.created.values()].sort());
  };

  describe.each(KINDS)('%s', (kind) => {
    it('no idempotent request fails when it is killed', () => goesAway(kind, 'SIGKILL'), 120_000);
    it('no idempotent request fails when it drains', () => goesAway(kind, 'SIGTERM'), 120_000);
  });
});
