import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { list } from '../kube.mjs';
import { EXTERNAL, Release } from './release.mjs';

const release = new Release('upgrade');
const few = { serviceDefaults: { replicas: 1, autoscaling: { enabled: false } } };
const imageOf = async (component) =>
  (await release.get('deployment', component)).spec.template.spec.containers[0].image;

describe('an upgrade whose migration fails', () => {
  before(() => release.install(EXTERNAL, few));
  after(() => release.remove());

  it('changes no pod, and leaves the pod of the migration with its log', async () => {
    const { code, output } = await release.helm('upgrade', [EXTERNAL, few, { image: { tag: '0.2.0-bad' } }]);
    assert.notEqual(code, 0);
    assert.match(output, /pre-upgrade hooks failed/);
    assert.equal(await imageOf('gateway'), 'novacron/gateway:0.1.0');
    const failed = await list(release.namespace, 'pods', 'novacron.io/job=database');
    assert.ok(failed.length > 0);
    assert.ok(failed.every(({ status }) => status.phase === 'Failed'));
  });

  it('is followed by one that succeeds', async () => {
    await release.upgrade(EXTERNAL, few, { image: { tag: '0.2.1' } });
    assert.equal(await imageOf('gateway'), 'novacron/gateway:0.2.1');
    assert.deepEqual(await list(release.namespace, 'jobs'), []);
  });

  it('is rolled back without a Job', async () => {
    const before = await release.jobEvents();
    await release.rollback(1);
    assert.equal(await imageOf('gateway'), 'novacron/gateway:0.1.0');
    assert.deepEqual(await list(release.namespace, 'jobs'), []);
    assert.equal(await release.jobEvents(), before);
  });
});
