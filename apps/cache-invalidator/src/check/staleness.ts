import type { Inspected } from '@novacron/cache/l2-inspector';
import type { EventKind } from '@novacron/contracts/events';
import { isDeepStrictEqual } from 'node:util';
import type { LaterEvents, Versioned } from './later-events.js';
import type { OwnerStates } from './owner-states.js';

export interface Sources {
  readonly later: Pick<LaterEvents, 'of'>;
  readonly owners: Pick<OwnerStates, 'read'>;
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
 * Compares a cached answer with the truth. The answer claims to show everything that was committed up to its position,
 * and readers that have observed as much receive it. It is wrong when it lacks an event that was committed by then, or
 * when it differs from the owner's body under the same version. An answer that is merely older than now is right.
 * @returns the reason why it is wrong; undefined when no error can be proven
 */
export async function stalenessOf(
  sample: Inspected,
  lineage: string,
  sources: Sources,
): Promise<string | undefined> {
  const { tenantId, type, entry } = sample;
  if (entry.tenantId !== tenantId) return `it is another tenant's: ${entry.tenantId}`;
  const kind = KINDS[type];
  if (kind === undefined) return undefined;
  if (entry.status !== 200) return falselyAbsent(sample, kind, lineage, sources);
  const body = parseJson(entry.bytes);
  if (body === undefined) return 'its body is not JSON';
  if (type.endsWith(LIST)) return missingEvent(kind, itemsOf(body), sample, lineage, sources);
  const wrong = contradiction(sample, body) ?? (await differs(sample, body, lineage, sources));
  if (wrong !== undefined) return wrong;
  const shown = [{ id: sample.id, version: entry.version as number }];
  return missingEvent(kind, shown, sample, lineage, sources);
}

/**
 * An absence is wrong when the resource exists and existed by then. For a resource that is gone by now nothing can be
 * proven: ids are not reused, but it may have been gone by then or not.
 */
async function falselyAbsent(sample: Inspected, kind: EventKind, lineage: string, sources: Sources) {
  if ((await sources.owners.read(sample, null)) === null) return undefined;
  return missingEvent(kind, [{ id: sample.id, version: 0 }], sample, lineage, sources);
}

/** An event that the answer should show and lacks. It is looked up last, when the ledger knows most. */
async function missingEvent(
  kind: EventKind,
  shown: readonly Versioned[],
  { entry }: Inspected,
  lineage: string,
  { later }: Sources,
): Promise<string | undefined> {
  if (shown.length === 0) return undefined;
  const events = await later.of(kind, shown, lineage);
  const event = events.find(({ position }) => position <= entry.position);
  return event && `${kind} ${event.id} had reached version ${event.version} at ${event.position}`;
}

/** Compares the header with the body: conditional requests are answered from the header only. */
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
  lineage: string,
  { owners }: Sources,
): Promise<string | undefined> {
  const { position } = sample.entry;
  const version = sample.entry.version as number;
  let now = await owners.read(sample, `${lineage}.${position}`);
  // An answer of the primary may show a commit after its position.
  if (now !== null && now.version < version) now = await owners.read(sample, null);
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
