import { sleep } from '@novacron/async/sleep';
import { type GatewayEndpoint, HistoryClient } from './history-client.js';
import type { Random } from './random.js';
import type { HistoryRecorder } from './recorder.js';
import { Tenant } from './tenant.js';

export interface WorkloadOptions {
  readonly gateways: readonly GatewayEndpoint[];
  readonly recorder: HistoryRecorder;
  readonly random: Random;
  /** API tokens of three tenants. The sessions of the first two carry consistency tokens. */
  readonly apiTokens: readonly string[];
  readonly operations: number;
  /** sessions of each tenant */
  readonly sessions: number;
  /** ends it early */
  readonly signal: AbortSignal;
  readonly onProgress?: (operations: number) => void;
}

/** The number of VMs of each tenant. Few, so that all of them are hot. */
const VMS = [10, 5, 5] as const;
const SETUP_MS = 60_000;

/** Runs the sessions until there are enough operations. */
export async function work(options: WorkloadOptions): Promise<void> {
  const { gateways, recorder, random, apiTokens, sessions } = options;
  let number = 0;
  const all: HistoryClient[] = [];
  for (const [index, apiToken] of apiTokens.entries()) {
    const tenant = new Tenant(index, apiToken, VMS[index] as number);
    const own: HistoryClient[] = [];
    for (let i = 0; i < sessions; i++) {
      const common = { number: number++, tenant, gateways, recorder, random: random.fork() };
      own.push(new HistoryClient(index === 2 ? { ...common, pinnedTo: i % gateways.length } : common));
    }
    await settle(own[0] as HistoryClient, tenant);
    all.push(...own);
  }
  await Promise.all(all.map((session) => live(session, options)));
}

/** Creates the tenant's first VMs. */
async function settle(session: HistoryClient, tenant: Tenant): Promise<void> {
  const until = performance.now() + SETUP_MS;
  while (tenant.vms.length < tenant.wanted) {
    const { status, code } = await session.create();
    if (status === 201) continue;
    if (performance.now() > until) throw new Error(`VM creation failed: ${status} ${code ?? ''}`);
    await sleep(100);
  }
}

async function live(session: HistoryClient, options: WorkloadOptions): Promise<void> {
  const { recorder, random, operations, onProgress, signal } = options;
  const pauses = random.fork();
  while (recorder.operations.length < operations && !signal.aborted) {
    const { status, id } = await session.step();
    if (id % 1_000 === 0) onProgress?.(id);
    // After a refusal the client pauses. Otherwise refusals would dominate the history of an outage.
    if (status >= 500 || status <= 0) await sleep(pauses.between(50, 300));
  }
}
