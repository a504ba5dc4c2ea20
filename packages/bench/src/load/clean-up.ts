import type { Api } from '../api.js';
import { scenario } from './scenario.js';

const AT_ONCE = 10;
const PATIENCE_MS = 60_000;

interface Page {
  readonly items: readonly { readonly id: string }[];
  readonly nextCursor: string | null;
}

async function named(api: Api, prefix: string): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const more: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { text } = await api.read(`/api/v1/vms?limit=500&namePrefix=${prefix}${more}`);
    const page = JSON.parse(text) as Page;
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
  }
  return ids;
}

/** Deletes the VMs that a run created, those that are busy when they no longer are. @returns how many */
export async function cleanUp(api: Api, run: string): Promise<number> {
  const left = await named(api, scenario.namePrefix(run));
  const count = left.length;
  const until = Date.now() + PATIENCE_MS;
  const lane = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const { status, text } = await api.call('DELETE', `/api/v1/vms/${id}`);
      if ([202, 204, 404].includes(status)) continue;
      if (![429, 503].includes(status) || Date.now() > until)
        throw new Error(`the delete of ${id} was answered ${status}: ${text.slice(0, 300)}`);
      left.push(id);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return count;
}
