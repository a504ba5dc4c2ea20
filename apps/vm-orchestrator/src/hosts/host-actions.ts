import type { Condition } from '@novacron/contracts/common';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import type { Host, HostAction as HostActionSchema } from '@novacron/contracts/infrastructure';
import type { Position } from '@novacron/contracts/position';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import { retrying } from '@novacron/postgres/retry';
import type { z } from 'zod';
import { databaseNow } from '../clock.js';
import { once, type Answered } from '../vms/idempotency.js';
import type { HostSnapshot } from '../placement/snapshot.js';
import {
  HOST_COLUMNS,
  HOST_UNREACHABLE,
  hostEvent,
  RECONCILING,
  toHost,
  withCondition,
  withoutCondition,
  type HostRow,
} from './row.js';
import { downAfterMs, type HostSettings } from './settings.js';
import type { UnreachableVms } from './unreachable-vms.js';

const LOCK: Statement = {
  name: 'hosts-lock-to-act',
  text: `SELECT ${HOST_COLUMNS},
      EXISTS (SELECT 1 FROM vms v WHERE v.host_id = h.id AND v.state <> 'deleted') AS has_vms,
      EXISTS (SELECT 1 FROM heartbeats b WHERE b.host_id = h.id
                AND b.at >= now() - make_interval(secs => $2::float8 / 1000)) AS heard
    FROM hosts h WHERE h.id = $1 FOR UPDATE OF h`,
};
const SET: Statement = {
  name: 'hosts-act',
  text: `UPDATE hosts h SET state = $2, schedulable = $3, conditions = $4, updated_at = $5, version = version + 1
    WHERE h.id = $1 RETURNING ${HOST_COLUMNS}`,
};
const INVENTORY_DUE: Statement = {
  name: 'inventories-due',
  text: 'UPDATE inventories SET next_at = now() WHERE host_id = $1',
};

export interface HostToActOn extends HostRow {
  has_vms: boolean;
  /** Whether heartbeats arrive, whatever state the host is in. */
  heard: boolean;
}

type HostAction = z.infer<typeof HostActionSchema>;
type Change = Partial<Pick<Host, 'state' | 'schedulable'>>;

/** What an operator's action makes of a host; nothing to change when it is so already. Pure. */
export function actOn(host: HostToActOn, action: HostAction): Change {
  switch (action) {
    case 'cordon':
      return { schedulable: false };
    case 'uncordon':
      return { schedulable: true, ...(host.state === 'fenced' ? { state: host.heard ? 'up' : 'down' } : {}) };
    case 'drain':
      if (host.has_vms && !host.capabilities.includes('migrate')) {
        throw new ServiceError(
          'capability_unsupported',
          `Driver ${host.driver} cannot migrate the VMs of ${host.name} away`,
        );
      }
      return { schedulable: false };
    case 'fence':
      if (host.state === 'up') {
        throw new ServiceError(
          'invalid_state',
          `${host.name} is up: only a host that is down may be taken for gone`,
        );
      }
      return { state: 'fenced', schedulable: false };
  }
}

/** Its guests ran on while it was fenced: before anything is sent, its inventory says what is so. */
function conditionsAfter(before: HostRow, state: Host['state'], now: Date): Condition[] {
  const heard =
    state === 'up' ? withoutCondition(before.conditions, HOST_UNREACHABLE) : [...before.conditions];
  if (before.state !== 'fenced' || state === 'fenced') return heard;
  return withCondition(heard, {
    type: RECONCILING,
    status: 'true',
    reason: 'Uncordoned',
    message: 'nothing is sent to the host until its inventory has been applied',
    lastTransitionAt: now.toISOString(),
  });
}

/** cordon, uncordon, drain, fence. */
export class HostActions {
  constructor(
    private readonly db: Database,
    private readonly snapshot: HostSnapshot,
    private readonly unreachable: UnreachableVms,
    private readonly settings: HostSettings,
  ) {}

  /**
   * @param meta whose Idempotency-Key the action has
   * @throws ServiceError `not_found`, `invalid_state`, `capability_unsupported`, and those of the key
   */
  async act(
    meta: RequestMeta,
    hostId: HostId,
    action: HostAction,
  ): Promise<Answered<Host> & { readonly position: Position }> {
    const { result, position } = await retrying(() =>
      this.db.transaction({}, (tx) =>
        once(tx, meta, async () => toHost(await this.#write(tx, hostId, action))),
      ),
    );
    await this.snapshot.refresh();
    if (result.answer.state === 'fenced') await this.unreachable.sweep();
    return { ...result, position };
  }

  async #write(tx: Transaction, hostId: HostId, action: HostAction): Promise<HostRow> {
    const { rows } = await tx.query<HostToActOn>(LOCK, [hostId, downAfterMs(this.settings)]);
    const before = rows[0];
    if (!before) throw new ServiceError('not_found', 'There is no such host');
    const wanted = { state: before.state, schedulable: before.schedulable, ...actOn(before, action) };
    if (wanted.state === before.state && wanted.schedulable === before.schedulable) return before;
    const conditions = conditionsAfter(before, wanted.state, databaseNow());
    const [updated] = await tx.pipeline([
      {
        statement: SET,
        params: [hostId, wanted.state, wanted.schedulable, JSON.stringify(conditions), databaseNow()],
      },
      { statement: INVENTORY_DUE, params: [hostId] },
    ]);
    const after = updated?.rows[0] as unknown as HostRow;
    await appendEvents(tx, [hostEvent(after)]);
    return after;
  }
}
