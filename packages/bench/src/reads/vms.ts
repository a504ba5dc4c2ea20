import { sleep } from '@novacron/async/sleep';
import type { Api, ApiAnswer } from '../api.js';
import { countVms, liveJobs, type BenchStack } from '../bench-stack.js';

export interface Vm {
  readonly id: string;
  readonly version: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** So many VMs that run and that nothing more happens to. */
export async function runningVms(stack: BenchStack, prefix: string, count: number): Promise<string[]> {
  const made = await Promise.all(Array.from({ length: count }, (_, i) => stack.api.create(`${prefix}-${i}`)));
  while ((await countVms(stack, prefix, 'running')) < count || (await liveJobs(stack)) > 0) await sleep(100);
  return made.map((text) => (JSON.parse(text) as Vm).id);
}

/** Writes a tag. @returns the VM as it is now, and the writer's token */
export async function patchTag(api: Api, id: string, value: string): Promise<{ vm: Vm; token: string }> {
  const { status, text, token } = await api.call('PATCH', `/api/v1/vms/${id}`, { tags: { bench: value } });
  if (status !== 200) throw new Error(`the change of ${id} was answered ${status}: ${text.slice(0, 300)}`);
  return { vm: JSON.parse(text) as Vm, token };
}

export function vmIn({ text }: ApiAnswer): Vm {
  return JSON.parse(text) as Vm;
}
