import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestStack, useTestStack } from '@novacron/testkit/stack';
import { canHaveFrontDoor } from '../../src/load/front-door.js';
import type { Restart } from '../../src/load/rolling-restart.js';
import { scenario } from '../../src/load/scenario.js';
import { withPairs } from '../../src/load/under-restarts.js';
import { runUsers } from '../../src/load/users.js';

/** Two or three minutes where other tests have the CPU. */
const PATIENCE_MS = 600_000;

let stack: TestStack;

beforeAll(async () => {
  stack = await useTestStack({ simHosts: 2 });
}, 120_000);

afterAll(() => stack?.remove(), 60_000);

// As QEMU, nginx may be missing: `npm test` installs it by apt as root, and says in a line when it cannot.
(canHaveFrontDoor() ? describe : describe.skip)('the load scenario behind nginx', () => {
  it(
    'loses no request while every service is restarted in turn',
    async () => {
      const restarts: Restart[] = [];
      const load = await withPairs(stack, async ({ url, restartAll }) => {
        const over = new AbortController();
        const users = runUsers({
          urls: [url],
          token: stack.token,
          stages: [
            { duration: '1s', target: 30 },
            { duration: '60m', target: 30 },
          ],
          run: scenario.newRun(),
          // More requests than thirty people make, so that more of them meet each restart.
          pace: 0.2,
          // As a careful client's: what is lost all the same is lost by us.
          keys: true,
          signal: over.signal,
        });
        try {
          const never = new AbortController().signal;
          expect(await restartAll(never, (one) => restarts.push(one))).toBe(true);
        } finally {
          over.abort();
          await users;
        }
        return users;
      });
      expect(restarts.map(({ name }) => name)).toEqual([
        'gateway-2',
        'vm-orchestrator-2',
        'vm-orchestrator',
        'metrics-ingest-2',
        'metrics-ingest',
        'cache-invalidator-2',
        'cache-invalidator',
        'host-agent-sim',
        'gateway',
      ]);
      expect([...load.recorder.reasons]).toEqual([]);
      expect(load.recorder.requests).toBeGreaterThan(100);
    },
    PATIENCE_MS,
  );
});
