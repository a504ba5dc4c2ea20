import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { loadFile } from '../control-plane.mjs';
import { kubectl, until } from '../kube.mjs';
import { EXTERNAL, Release, watchPods } from './release.mjs';

const MOST = 5;
const scaled = { serviceDefaults: { autoscaling: { minReplicas: 3, maxReplicas: MOST } } };
const release = new Release('scale');

describe('services under load', () => {
  before(() => release.install(EXTERNAL, scaled));
  after(() => release.remove());

  it('start with the least pods, after their migrations', async () => {
    await release.ready('gateway', 3);
    assert.ok((await release.jobEvents()) > 0);
  });

  it('scale by CPU, and not by memory that does not follow load', async () => {
    writeFileSync(
      loadFile,
      JSON.stringify({ gateway: { cpu: 6000 }, 'cache-invalidator': { cpu: 100, memory: 490 } }),
    );
    const followed = await until(
      async () => (await release.get('deployment', 'gateway')).spec.replicas === MOST,
      300_000,
    );
    assert.ok(followed, 'the gateway grows to its most pods');
    assert.equal((await release.get('deployment', 'cache-invalidator')).spec.replicas, 3);
    await release.ready('gateway', MOST);
  });

  it('are no more than two pods over their most in a rolling update, and never fewer', async () => {
    const stop = watchPods(release, 'gateway');
    await release.upgrade(EXTERNAL, scaled, { image: { tag: '0.1.1' } });
    await release.ready('gateway', MOST);
    const { most, leastReady } = await stop();
    assert.ok(most <= MOST + 2, `${most} pods at once, for ${MOST + 2} in the sum of connections`);
    assert.ok(leastReady >= MOST, `${leastReady} ready pods`);
  });

  it('lose one pod at a time to the drain of a node', async () => {
    const [one, other] = (await release.pods('vm-orchestrator')).map(({ metadata }) => metadata.name);
    const evict = (name) =>
      kubectl(
        ['create', '--raw', `/api/v1/namespaces/${release.namespace}/pods/${name}/eviction`, '-f', '-'],
        JSON.stringify({
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name, namespace: release.namespace },
        }),
      );
    assert.equal((await evict(one)).code, 0);
    assert.match((await evict(other)).output, /disruption budget/);
  });
});
