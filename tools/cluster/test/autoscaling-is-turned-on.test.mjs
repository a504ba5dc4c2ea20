import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { EXTERNAL, Release, watchPods } from './release.mjs';

const release = new Release('turned-on');
const fixed = { serviceDefaults: { replicas: 4, autoscaling: { enabled: false } } };

describe('a release whose services begin to scale', () => {
  before(() => release.install(EXTERNAL, fixed));
  after(() => release.remove());

  it('keeps the pods that it has', async () => {
    await release.ready('gateway', 4);
    const stop = watchPods(release, 'gateway');
    await release.upgrade(EXTERNAL);
    await new Promise((next) => setTimeout(next, 5_000));
    const { leastReady } = await stop();
    assert.equal(leastReady, 4);
    assert.equal((await release.get('deployment', 'gateway')).spec.replicas, 4);
    assert.equal((await release.get('hpa', 'gateway')).spec.minReplicas, 3);
  });
});
