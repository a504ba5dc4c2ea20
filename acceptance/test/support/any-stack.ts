import type { RunningStack } from '@novacron/testkit/running-stack';
import { type TestStackOptions, useTestStack } from '@novacron/testkit/stack';
import { composeSetting } from './compose-settings.js';
import { ComposeStack } from './compose-stack.js';

/**
 * The stack of an end-to-end test: its own local stack, or the containers of the compose project that
 * NOVACRON_COMPOSE_PROJECT names (`npm run compose -- test`).
 */
export async function useAnyStack(options: TestStackOptions = {}): Promise<RunningStack> {
  const project = composeSetting();
  return project === undefined ? useTestStack(options) : ComposeStack.attach(project);
}
