import { describe, expect, it } from '@jest/globals';
import { createLogger } from '@novacron/telemetry/logger';
import { DRAIN_BOUND_MS, DrainCoordinator } from './drain.js';

const logger = createLogger('test', 'silent');

describe('the drain', () => {
  it('runs the phases in order, and the steps of each phase in reverse, once', async () => {
    const drain = new DrainCoordinator(logger);
    const order: string[] = [];
    const add = (phase: Parameters<DrainCoordinator['add']>[0], name: string) =>
      drain.add(phase, name, () => void order.push(name));
    add('pools', 'pool');
    add('nats', 'connection');
    add('consumers', 'relay');
    add('http', 'server');
    add('nats', 'requests');
    add('telemetry', 'spans');
    add('consumers', 'workers');
    expect(await Promise.all([drain.run(), drain.run()])).toEqual([true, true]);
    expect(order).toEqual(['workers', 'relay', 'server', 'requests', 'connection', 'spans', 'pool']);
    expect(drain.signal.aborted).toBe(true);
  });

  it('is bounded: abandons a step that hangs or fails, and runs the others', async () => {
    const drain = new DrainCoordinator(logger, 200);
    const order: string[] = [];
    drain.add('consumers', 'hangs', () => new Promise(() => {}));
    drain.add('http', 'fails', () => Promise.reject(new Error('no')));
    drain.add('nats', 'throws', () => {
      throw new Error('no');
    });
    drain.add('pools', 'last', () => void order.push('last'));
    const startedAt = performance.now();
    expect(await drain.run()).toBe(false);
    expect(order).toEqual(['last']);
    // Bounded by the test's own bound, not by the default.
    expect(performance.now() - startedAt).toBeLessThan(DRAIN_BOUND_MS - 3_000);
  });
});
