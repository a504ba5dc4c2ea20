import { randomUUID } from 'node:crypto';
import { type Client, json } from './client.js';

export interface Load {
  /** The number of answered requests, and the time of the slowest. */
  readonly answered: number;
  readonly slowestMs: number;
  /** The key of each create, with the VM ids in the answers of its attempts. */
  readonly created: ReadonlyMap<string, string>;
  /** Creates that were answered that their first attempt, at a killed gateway, is still in progress. */
  readonly inProgress: number;
  /** Failures of a client without retries. */
  readonly failures: readonly string[];
}

interface Work {
  readonly lanes: number;
  readonly token: string;
  /** Prefix of the created VMs' names. */
  readonly prefix: string;
  readonly vmId: string;
}

const EVERY_NTH_CREATES = 10;

/** Sends reads, lists and creates with keys in parallel until `over` resolves. */
export async function load(client: Client, work: Work, over: AbortSignal): Promise<Load> {
  const created = new Map<string, string>();
  const failures: string[] = [];
  let [answered, slowestMs, inProgress] = [0, 0, 0];
  const headers = { authorization: `Bearer ${work.token}` };

  const ask = async (path: string, good: number, asked: Parameters<Client['ask']>[1]) => {
    const begun = performance.now();
    const what = `${asked?.method ?? 'GET'} ${path}`;
    try {
      const answer = await client.ask(path, asked);
      answered += 1;
      slowestMs = Math.max(slowestMs, performance.now() - begun);
      if (answer.status === good) return json(answer);
      if (answer.status === 409 && json(answer).code === 'idempotency_in_progress') return 'in progress';
      failures.push(`${what}: ${answer.status} ${answer.body.toString()}`);
    } catch (error) {
      failures.push(`${what}: ${String(error)}`);
    }
    return undefined;
  };
  const create = async (name: string) => {
    const key = randomUUID();
    const body = JSON.stringify({ name, config: { cpu: 1, memory: 256, disk: 1, image: 'ubuntu-22.04' } });
    const keyed = { ...headers, 'content-type': 'application/json', 'idempotency-key': key };
    for (;;) {
      const vm = await ask('/api/v1/vms', 201, { method: 'POST', headers: keyed, body });
      if (vm === 'in progress') inProgress += 1;
      else return vm === undefined ? undefined : created.set(key, vm.id);
    }
  };
  const lane = async (_: unknown, number: number) => {
    for (let i = number; !over.aborted; i += 1) {
      if (i % EVERY_NTH_CREATES === 0) await create(`${work.prefix}-${number}-${i}`);
      else await ask(i % 2 === 0 ? '/api/v1/vms?limit=20' : `/api/v1/vms/${work.vmId}`, 200, { headers });
    }
  };
  await Promise.all(Array.from({ length: work.lanes }, lane));
  return { answered, slowestMs, created, inProgress, failures };
}
