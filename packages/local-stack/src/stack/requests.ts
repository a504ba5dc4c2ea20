import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '../layout.js';
import { readStateFile, writeStateFile } from '../state-file.js';
import type { Stack } from './stack.js';

/** What a command asks the running stack to do, and what came of it. */
export interface Promotion {
  readonly name: string;
  readonly state: 'asked' | 'running' | 'done' | 'failed';
  readonly detail?: string;
}

const promotionFile = (paths: Layout) => join(paths.run, 'promotion.json');

export function readPromotion(paths: Layout): Promotion | undefined {
  return readStateFile(promotionFile(paths), 'Remove it') as Promotion | undefined;
}

export function writePromotion(paths: Layout, promotion: Promotion): void {
  writeStateFile(promotionFile(paths), promotion);
}

export function forgetPromotion(paths: Layout): void {
  rmSync(promotionFile(paths), { force: true });
}

/** On SIGUSR2: a promotion that was asked for, and host agents that were added. */
export async function takeRequests(stack: Stack): Promise<void> {
  const { paths } = stack.facts;
  const asked = readPromotion(paths);
  if (asked?.state === 'asked') {
    // Answered before the next signal can find it: one promotion at a time.
    writePromotion(paths, { name: asked.name, state: 'running' });
    try {
      await stack.promote(asked.name);
      writePromotion(paths, { name: asked.name, state: 'done' });
    } catch (error) {
      writePromotion(paths, { name: asked.name, state: 'failed', detail: (error as Error).message });
      throw error;
    }
  }
  await stack.reloadAgents();
}
