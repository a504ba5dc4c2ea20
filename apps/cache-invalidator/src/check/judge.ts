import type { Inspected } from '@novacron/cache/l2-inspector';
import type { EventKind } from '@novacron/contracts/events';
import { isDeepStrictEqual } from 'node:util';
import type { LaterEvents, Versioned } from './later-events.js';

/** A resource as its owner has it at or after a position; null: there is none. */
export type Truth = { readonly version: number; readonly body: unknown } | null;

export interface Sources {
  readonly later: Pick<LaterEvents, 'of'>;
  /** Asks the owner, for a state at or after `position`; null: for the newest there is. */
  readonly truth: (sample: Inspected, position: string | null) => Promise<Truth>;
}

/** Types that hold one resource or a list of them, and the kind of its events. */
const KINDS: Readonly<Record<string, EventKind>> = {
  vm: 'vm',
  'vm-list': 'vm',
  job: 'job',
  'job-list': 'job',
};
const LIST = '-list';

/**
 * Holds a cached answer against the truth. It claims to hold everything that was committed up to its position, and
 * is given to readers who have seen as much; so it is wrong if an event that it does not show was committed by then,
 * or if it differs from what its owner has under the same version. That it is older than now is no fault.
 * @returns what is wrong; undefined: nothing that can be proven
 */
export async function judge(
  sample: Inspected,
  history: string,
  sources: Sources,
): Promise<string | undefined> {
  const { tenantId, type, entry } = sample;
  if (entry.tenantId !== tenantId) return `it is another tenant's: ${entry.tenantId}`;
  const kind = KINDS[type];
  if (kind === undefined) return undefined;
  if (entry.status !== 200) return falselyAbsent(sample, kind, history, sources);
  const body = parseJson(entry.bytes);
  if (body === undefined) return 'its body is no JSON';
  if (type.endsWith(LIST)) return missed(kind, itemsOf(body), sample, history, sources);
  const wrong = contradiction(sample, body) ?? (await differs(sample, body, history, sources));
  if (wrong !== undefined) return wrong;
  return missed(kind, [{ id: sample.id, version: entry.version as number }], sample, history, sources);
}

/**
 * An absence is wrong when the resource is there and was by then. One that is gone by now was gone by then, or not:
 * ids do not come back, and nothing can be proven.
 */
async function falselyAbsent(sample: Inspected, kind: EventKind, history: string, sources: Sources) {
  if ((await sources.truth(sample, null)) === null) return undefined;
  return missed(kind, [{ id: sample.id, version: 0 }], sample, history, sources);
}

/** An event that the answer should show and does not. Asked last, when the ledger knows most. */
async function missed(
  kind: EventKind,
  shown: readonly Versioned[],
  { entry }: Inspected,
  history: string,
  { later }: Sources,
): Promise<string | undefined> {
  if (shown.length === 0) return undefined;
  const events = await later.of(kind, shown, history);
  const event = events.find(({ position }) => position <= entry.position);
  return event && `${kind} ${event.id} had reached version ${event.version} at ${event.position}`;
}

/** The header against the body: who answers conditional requests looks at the header only. */
function contradiction({ tenantId, id, entry }: Inspected, body: unknown): string | undefined {
  const { id: itsId, tenantId: itsTenant, version } = body as Record<string, unknown>;
  if (itsId !== id) return `its body is of ${String(itsId)}`;
  if (itsTenant !== tenantId) return `its body is of tenant ${String(itsTenant)}`;
  if (typeof version !== 'number' || version !== entry.version)
    return `its body has version ${String(version)}, not ${entry.version}`;
  return undefined;
}

async function differs(
  sample: Inspected,
  body: unknown,
  history: string,
  { truth }: Sources,
): Promise<string | undefined> {
  const { position } = sample.entry;
  const version = sample.entry.version as number;
  let now = await truth(sample, `${history}.${position}`);
  // Read on the primary it may show what was committed after its position.
  if (now !== null && now.version < version) now = await truth(sample, null);
  if (now === null || now.version > version) return undefined;
  if (now.version < version) return `its owner is only at version ${now.version}, not ${version}`;
  return isDeepStrictEqual(now.body, body)
    ? undefined
    : `its owner has another body under version ${version}`;
}

function itemsOf(body: unknown): Versioned[] {
  const { items } = body as { items?: unknown };
  if (!Array.isArray(items)) return [];
  return (items as Versioned[]).filter(
    ({ id, version }) => typeof id === 'string' && Number.isInteger(version),
  );
}

function parseJson(bytes: Buffer): unknown {
  try {
    const body: unknown = JSON.parse(bytes.toString());
    return typeof body === 'object' && body !== null ? body : undefined;
  } catch {
    // The finding says so.
    return undefined;
  }
}
