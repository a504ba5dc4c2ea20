import type { Measurement } from '../benchmark.js';
import { hotReadsScenario } from '../reads/hot.js';
import { cost } from './cost.js';
import type { Effort } from './guide.js';

const BARE = 'a bare node:http server that sends the same bytes';

/** The guide's BenchmarkVMList: GET /api/v1/vms, 50 VMs, by many at once over kept-alive connections. */
export async function list({ processes, rounds, requests }: Effort): Promise<Measurement[]> {
  const found: Awaited<ReturnType<typeof hotReadsScenario>> = [];
  for (let i = 0; i < processes; i++)
    found.push(...(await hotReadsScenario([String(rounds), String(requests)], { CASE: 'list' })));
  if (found.length !== processes) throw new Error('hot-reads.ts printed nothing');
  const ours = found.map((one) => one.ours);
  const theirs = found.map((one) => one.theirs);
  return [
    cost(
      'list',
      'µs CPU/request',
      ours.flatMap((one) => one.cpuMicros),
      BARE,
      theirs.flatMap((one) => one.cpuMicros),
    ),
    cost(
      'list-allocated',
      'bytes',
      ours.map((one) => one.allocated),
      BARE,
      theirs.map((one) => one.allocated),
    ),
  ];
}
