import { sleep } from '@novacron/async/sleep';
import type { BenchContext, Benchmark, Measurement } from './benchmark.js';
import { withStack, type BenchStack } from './bench-stack.js';
import { median } from './stats.js';

/** Half of what the first users measured on a busy machine, in seconds: 28, 18 and 28. */
const COMPONENTS = { gateway: 14, 'vm-orchestrator': 9, 'postgres-primary': 14 } as const;
const LOOK_AGAIN_MS = 20;
const QUIET_MS = 3_000;

/** Seconds from `kill -9` until the next create is answered, and until its VM runs. */
async function recovered(
  stack: BenchStack,
  component: string,
  name: string,
): Promise<{ answered: number; running: number }> {
  const killedAt = performance.now();
  const since = () => (performance.now() - killedAt) / 1_000;
  await stack.process.kill(component);
  const id = await created(stack, name);
  const answered = since();
  while ((await ask(stack, `/vms/${id}`))?.state !== 'running') await sleep(LOOK_AGAIN_MS);
  return { answered, running: since() };
}

/** The id of a VM, as soon as a create is answered; one name gives one VM, however often it is sent. */
async function created(stack: BenchStack, name: string): Promise<string> {
  const config = { cpu: 1, memory: 512, disk: 5, image: 'ubuntu-22.04' };
  for (;;) {
    const vm = await ask(stack, '/vms', { name, config });
    if (vm?.id !== undefined) return vm.id;
    await sleep(LOOK_AGAIN_MS);
  }
}

/** The body of an answer of 200 or 201, else undefined: a gateway that is away is expected here. */
async function ask(
  { process: stack }: BenchStack,
  path: string,
  body?: { readonly name: string; readonly config: object },
): Promise<{ readonly id?: string; readonly state?: string } | undefined> {
  try {
    const response = await fetch(`${stack.url}/api/v1${path}`, {
      headers: {
        authorization: `Bearer ${stack.token}`,
        'content-type': 'application/json',
        ...(body ? { 'idempotency-key': body.name } : {}),
      },
      signal: AbortSignal.timeout(12_000),
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    });
    const answer = (await response.json()) as { readonly id?: string; readonly state?: string };
    return response.ok ? answer : undefined;
  } catch {
    return undefined;
  }
}

async function measure(context: BenchContext, stack: BenchStack): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const [component, atMost] of Object.entries(COMPONENTS)) {
    const samples: number[] = [];
    for (let round = 0; round < (context.quick ? 1 : 3); round++) {
      const { answered, running } = await recovered(stack, component, `${component}-${round}`);
      context.progress(
        `recovery: ${component}: answered after ${answered.toFixed(1)} s, running after ${running.toFixed(1)} s`,
      );
      samples.push(running);
      // A program that ends again at once is started later each time.
      await sleep(QUIET_MS);
    }
    const target = { of: 'value', atMost } as const;
    measurements.push({ name: `recovery.${component}`, value: median(samples), unit: 's', samples, target });
  }
  return measurements;
}

export const recovery: Benchmark = {
  name: 'recovery',
  about: 'from kill -9 of a gateway, an orchestrator and the primary until the next VM runs',
  run: (context) => withStack(context, { simHosts: 2 }, (stack) => measure(context, stack)),
};
