import { join } from 'node:path';
import type { StackProcess } from '@novacron/local-stack/stack/stack-process';
import { openFrontDoor } from './front-door.js';
import { Pairs, type Restart } from './rolling-restart.js';

export interface Rolling {
  /** nginx in front of both gateways */
  readonly url: string;
  /** Restarts everything in turn, once; ends early when the load is over. @returns whether it came to the end */
  restartAll(loadIsOver: AbortSignal, onRestart: (restart: Restart) => void): Promise<boolean>;
}

/** Runs `work` with two of every service of the stack and nginx in front. */
export async function withPairs<T>(stack: StackProcess, work: (rolling: Rolling) => Promise<T>): Promise<T> {
  const pairs = await Pairs.start(stack);
  try {
    const door = await openFrontDoor(join(stack.home, 'nginx'), pairs.gateways);
    try {
      return await work({
        url: door.url,
        restartAll: async (loadIsOver, onRestart) => {
          for await (const one of pairs.restartAll((gateway) => door.trusts(gateway, loadIsOver))) {
            onRestart(one);
            if (loadIsOver.aborted) return false;
          }
          return true;
        },
      });
    } finally {
      await door.close();
    }
  } finally {
    await pairs.end();
  }
}
