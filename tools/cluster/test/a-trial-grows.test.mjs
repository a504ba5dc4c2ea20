import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { list, until } from '../kube.mjs';
import { Release } from './release.mjs';

// The longest name that Helm takes.
const release = new Release('trial', {
  name: 'a-release-whose-name-is-as-long-as-helm-takes-it-53ch',
  isTrial: true,
});

const hosts = (count) => ({ hostAgents: { sim: { hosts: count } } });
const hostsOf = async () => {
  const { data } = await release.get('secrets', 'hosts-sim');
  return JSON.parse(Buffer.from(data['hosts.json'], 'base64').toString());
};
const podOf = async (component) => (await release.pods(component))[0]?.metadata.uid;

describe('a trial', () => {
  before(() => release.install(hosts(2)));
  after(() => release.remove());

  it('installs under the longest name, with its Jobs after the database', async () => {
    assert.ok(await until(async () => (await podOf('nats')) !== undefined, 60_000));
    assert.equal((await hostsOf()).length, 2);
    assert.deepEqual(await list(release.namespace, 'jobs'), []);
  });

  it('starts the agent and NATS anew when it gets more hosts', async () => {
    const [agent, nats] = await Promise.all([podOf('host-agent-sim'), podOf('nats')]);
    const two = await hostsOf();
    await release.upgrade(hosts(3));
    const three = await hostsOf();
    assert.deepEqual(three.slice(0, 2), two);
    assert.ok(await until(async () => ![undefined, agent].includes(await podOf('host-agent-sim')), 120_000));
    assert.ok(await until(async () => ![undefined, nats].includes(await podOf('nats')), 120_000));
  });

  it('runs no Job when it is rolled back, and keeps the ids of new hosts for the next upgrade', async () => {
    const three = await hostsOf();
    const before = await release.jobEvents();
    await release.rollback(1);
    assert.equal((await hostsOf()).length, 2);
    assert.equal(await release.jobEvents(), before);
    await release.upgrade(hosts(3));
    assert.deepEqual(await hostsOf(), three);
  });

  it('refuses other volumes for NATS before any Job runs', async () => {
    const before = await release.jobEvents();
    const { code, output } = await release.helm('upgrade', [hosts(3), { nats: { storage: '40Gi' } }]);
    assert.notEqual(code, 0);
    assert.match(output, /nats.storage is 20Gi in this release and cannot become 40Gi/);
    assert.equal(await release.jobEvents(), before);
  });
});
