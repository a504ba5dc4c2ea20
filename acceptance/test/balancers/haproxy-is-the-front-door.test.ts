import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readUntil } from '@novacron/testkit/wait';
import { Balancer, canRun } from './support/balancer.js';
import { Client } from './support/client.js';
import { frontDoor } from './support/contract.js';
import { Upstream } from './support/upstream.js';

// Skipped without HAProxy. As root `npm test` installs it by apt, or prints a warning.
const ifThere = canRun('haproxy') ? describe : describe.skip;

ifThere('HAProxy in front of gateways', () => frontDoor('haproxy'));

ifThere('HAProxy asks gateways whether they are ready', () => {
  let upstream: Upstream;
  let balancer: Balancer;
  let stats: Client;
  beforeAll(async () => {
    upstream = await Upstream.listen();
    upstream.missing = ['nats'];
    balancer = await Balancer.start('haproxy', { gateways: [upstream.address] });
    stats = new Client(balancer.statsPort);
  });
  afterAll(async () => {
    stats?.close();
    await balancer?.stop();
    await upstream?.close();
  });

  it('shows the failed checks of a gateway in its log, its statistics and to Prometheus', async () => {
    const log = async () => balancer.log();
    await readUntil(log, (text) => /gateway-1 is DOWN/.test(text), 60_000);
    expect(balancer.log()).toMatch(/gateway-1 failed, reason: Layer7 wrong status, code: 503.*missing.*nats/);
    expect(String((await stats.ask('/stats;csv')).body)).toMatch(/gateways,gateway-1,.*DOWN.*missing.*nats/);
    expect(String((await stats.ask('/metrics')).body)).toMatch(
      /haproxy_server_status{proxy="gateways",server="gateway-1",state="DOWN"} 1/,
    );
  });

  it('takes a gateway back when its checks pass', async () => {
    upstream.missing = [];
    const log = async () => balancer.log();
    await readUntil(log, (text) => /gateway-1 is UP/.test(text), 60_000);
  });
});
