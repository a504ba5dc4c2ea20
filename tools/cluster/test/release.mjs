// A release of the chart in a namespace of its own.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../toolchain.mjs';
import { get, helm, kubectl, list, until } from '../kube.mjs';

export const chart = join(root, 'k8s', 'novacron');
const trial = join(chart, 'ci', 'trial.yaml');

/** Servers elsewhere: the release is the services and their Jobs. */
export const EXTERNAL = {
  postgres: { primary: 'pg-rw.db.svc:5432' },
  nats: { url: 'nats://nats.msg.svc:4222' },
};

export class Release {
  constructor(namespace, { name = 'nc', isTrial = false } = {}) {
    this.namespace = namespace;
    this.name = name;
    this.isTrial = isTrial;
    /** As the chart names its objects: at most 40 characters. */
    this.prefix = `${name}-novacron`.slice(0, 40).replace(/-$/, '');
    this.folder = mkdtempSync(join(tmpdir(), 'novacron-release-'));
  }

  /** Runs helm with values, of which later ones win; {code, output}. */
  helm(command, values, flags = []) {
    const files = values.map((object, index) => {
      const file = join(this.folder, `${index}.json`);
      writeFileSync(file, JSON.stringify(object));
      return file;
    });
    const all = [...(this.isTrial ? [trial] : []), ...files].flatMap((file) => ['-f', file]);
    return helm([command, this.name, chart, '-n', this.namespace, '--timeout', '5m', ...all, ...flags]);
  }

  async install(...values) {
    const { code, output } = await this.helm('install', values, ['--create-namespace']);
    assert.equal(code, 0, output);
  }

  async upgrade(...values) {
    const { code, output } = await this.helm('upgrade', values);
    assert.equal(code, 0, output);
  }

  async rollback(revision) {
    const { code, output } = await helm(['rollback', this.name, String(revision), '-n', this.namespace]);
    assert.equal(code, 0, output);
  }

  /** The object of a component, or undefined. */
  get(kind, component) {
    return get(this.namespace, kind, `${this.prefix}-${component}`);
  }

  pods(component) {
    return list(this.namespace, 'pods', `app.kubernetes.io/component=${component}`);
  }

  /** What the Job controller did so far, an event each: a Job that runs adds to it, and it outlives the Job. */
  async jobEvents() {
    const events = await list(this.namespace, 'events');
    return events.filter(({ involvedObject }) => involvedObject.kind === 'Job').length;
  }

  /** Waits until every pod that a component shall have is ready. */
  async ready(component, pods) {
    const settled = async () => {
      const { status = {}, spec } = (await this.get('deployment', component)) ?? { spec: {} };
      return spec.replicas === pods && status.readyReplicas === pods && status.updatedReplicas === pods;
    };
    assert.ok(await until(settled, 300_000), `${component} has ${pods} ready pods`);
  }

  async remove() {
    await helm(['uninstall', this.name, '-n', this.namespace]);
    await kubectl(['delete', 'namespace', this.namespace, '--wait=false']);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Looks at a component's pods until `stop` is called; then the most that were there, and the fewest that were ready. */
export function watchPods(release, component) {
  let most = 0;
  let leastReady = Infinity;
  let watching = true;
  const watched = (async () => {
    while (watching) {
      const pods = await release.pods(component);
      const ready = pods.filter(
        ({ metadata, status }) =>
          !metadata.deletionTimestamp &&
          (status.conditions ?? []).some(({ type, status: value }) => type === 'Ready' && value === 'True'),
      );
      most = Math.max(most, pods.length);
      leastReady = Math.min(leastReady, ready.length);
      await new Promise((next) => setTimeout(next, 200));
    }
    return { most, leastReady };
  })();
  return () => {
    watching = false;
    return watched;
  };
}
