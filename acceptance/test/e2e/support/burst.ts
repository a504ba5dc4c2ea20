import { expect } from '@jest/globals';
import type { RunningStack } from '@novacron/testkit/running-stack';
import { readUntil } from '@novacron/testkit/wait';
import { Api, createPatiently, type Created, guideBody } from './api.js';
import { imbalances, vmsInPostgres } from './database.js';
import { guestsOfHosts } from './hosts.js';

/** A disturbance of the stack: `trouble` runs after `afterAnswers` answered creates. */
export interface Disturbance {
  readonly afterAnswers: number;
  readonly trouble: () => Promise<void>;
}

export interface BurstOptions {
  readonly prefix: string;
  readonly count: number;
  readonly inFlight?: number;
  readonly disturbances?: readonly Disturbance[];
}

/** Creates `<prefix>-0…` by parallel clients with retries during the disturbances. @returns the answer of each create */
export async function burst(api: Api, options: BurstOptions): Promise<Created[]> {
  const { prefix, count, inFlight = 20, disturbances = [] } = options;
  const created: Created[] = [];
  const troubles: Promise<void>[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) {
      created.push(await createPatiently(api, guideBody(`${prefix}-${next++}`)));
      const due = disturbances.filter(({ afterAnswers }) => afterAnswers === created.length);
      troubles.push(...due.map(({ trouble }) => trouble()));
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  expect(troubles).toHaveLength(disturbances.length);
  await Promise.all(troubles);
  return created;
}

/**
 * The guarantee of the burst tests: every answered VM exists once and runs, according to the API, Postgres and the
 * hosts. No job is left, no VM exists without an answer, and quota and capacity are consistent.
 */
export async function expectEachOnceAndRunning(
  stack: RunningStack,
  api: Api,
  created: readonly Created[],
  prefix: string,
  withinMs = 60_000,
): Promise<void> {
  const ids = created.map(({ vm }) => vm.id).sort();
  expect(new Set(ids).size).toBe(ids.length);
  const unsettled = async () =>
    (await api.list(`${prefix}-`)).filter(({ state, task }) => state !== 'running' || task !== null);
  await readUntil(
    async () =>
      (await unsettled()).map(({ name, state, task, lastError }) => ({ name, state, task, lastError })),
    (left) => left.length === 0,
    withinMs,
  );
  const seen = await api.list(`${prefix}-`);
  expect(seen.map(({ id }) => id).sort()).toEqual(ids);

  const { NOVACRON_PG_ADMIN_URL: postgres = '', NOVACRON_NATS_ADMIN_URL: nats = '' } = stack.env();
  const truth = await vmsInPostgres(postgres, `${prefix}-`);
  expect(truth.map(({ id }) => id).sort()).toEqual(ids);
  expect(
    truth.filter((vm) => vm.state !== 'running' || vm.busy || vm.creates !== 1 || vm.live !== 0),
  ).toEqual([]);

  expect(await imbalances(postgres)).toEqual([]);

  const guests = await guestsOfHosts(nats, await hostIdsUp(stack));
  const wrong = truth.filter(({ id, host_id }) => {
    const places = guests.get(id) ?? [];
    return places.length !== 1 || places[0]?.hostId !== host_id || places[0]?.power !== 'running';
  });
  expect(wrong.map((vm) => ({ ...vm, guests: guests.get(vm.id) }))).toEqual([]);
}

interface HostBody {
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly state: string;
}

/** Every host in the platform operator's list. */
export async function hostsOf(stack: RunningStack): Promise<HostBody[]> {
  const operator = new Api(stack.url, stack.operatorToken);
  const hosts: HostBody[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { status, body, text } = await operator.get<{ items: HostBody[]; nextCursor: string | null }>(
      `/api/v1/hosts?limit=500${from}`,
    );
    if (status !== 200) throw new Error(`the list of hosts answered ${status}: ${text}`);
    hosts.push(...body.items);
    cursor = body.nextCursor;
  }
  return hosts;
}

async function hostIdsUp(stack: RunningStack): Promise<string[]> {
  const hosts = await readUntil(
    () => hostsOf(stack),
    (all) => all.every(({ state }) => state === 'up'),
  );
  return hosts.map(({ id }) => id);
}
