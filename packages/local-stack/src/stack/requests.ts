import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '../layout.js';
import { readStateFile, writeStateFile } from '../state-file.js';
import type { Stack } from './stack.js';

/** A request from a command to the running stack, and its result. */
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

/** Handles SIGUSR2: runs a requested promotion, and takes in added and removed host agents. */
export async function takeRequests(stack: Stack): Promise<void> {
  const { paths } = stack.settings;
  const asked = readPromotion(paths);
  if (asked?.state === 'asked') {
    // Written before the next signal arrives, so that only one promotion runs at a time.
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
