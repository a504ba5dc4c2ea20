import { Injectable } from '@nestjs/common';
import { SystemDatabase } from '@novacron/service-kit/inject';
import type { Condition } from '@novacron/contracts/common';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import type {
  DrainMode,
  Host,
  HostAction,
  HostActionOptions,
  HostDrain,
} from '@novacron/contracts/infrastructure';
import type { Position } from '@novacron/contracts/position';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import { isDeepStrictEqual } from 'node:util';
import { databaseNow } from '../database/clock.js';
import { once, type Answered } from './idempotency.js';
import { HostSnapshot } from '../hosts/snapshot.js';
import {
  HOST_COLUMNS,
  HOST_UNREACHABLE,
  hostEvent,
  RECONCILING,
  toHost,
  type HostRow,
} from '../hosts/row.js';
import { withCondition, withoutCondition } from '../vms/conditions.js';
import { downAfterMs, HostSettings } from '../hosts/settings.js';
import { UnreachableVms } from '../hosts/unreachable-vms.js';

const LOCK: Statement = {
  name: 'hosts-lock-to-act',
  text: `SELECT ${HOST_COLUMNS},
      EXISTS (SELECT 1 FROM heartbeats b WHERE b.host_id = h.id
                AND b.at >= now() - make_interval(secs => $2::float8 / 1000)) AS heard
    FROM hosts h WHERE h.id = $1 FOR UPDATE OF h`,
};
const SET: Statement = {
  name: 'hosts-act',
  text: `UPDATE hosts h SET state = $2, schedulable = $3, conditions = $4, updated_at = $5, drain = $6,
      version = version + 1
    WHERE h.id = $1 RETURNING ${HOST_COLUMNS}`,
};
const REMOVALS: readonly Statement[] = [
  ...['heartbeats', 'inventories', 'inventory_parts', 'quarantine', 'cleanups'].map((table) => ({
    name: `hosts-remove-${table}`,
    table,
    text: `DELETE FROM ${table} WHERE host_id = $1`,
  })),
  { name: 'hosts-remove', text: 'DELETE FROM hosts WHERE id = $1' },
  {
    name: 'hosts-retire',
    text: 'INSERT INTO retired_hosts (host_id, retired_at) VALUES ($1, now()) ON CONFLICT DO NOTHING',
  },
];
const INVENTORY_DUE: Statement = {
  name: 'inventories-due',
  text: 'UPDATE inventories SET next_at = now() WHERE host_id = $1',
};

export interface HostToActOn extends HostRow {
  /** Whether heartbeats arrive, whatever state the host is in. */
  heard: boolean;
}

type Change = Partial<Pick<Host, 'state' | 'schedulable' | 'drain'>>;

const NO_OPTIONS: HostActionOptions = { graceSeconds: 30 };

/** The drain in progress, or a new one. */
function drainOf(host: HostToActOn, mode: DrainMode, graceSeconds: number, now: Date): HostDrain {
  if (host.drain && host.drain.finishedAt === null) return { ...host.drain, mode, graceSeconds };
  const total = host.vm_count;
  return {
    mode,
    graceSeconds,
    startedAt: now.toISOString(),
    finishedAt: null,
    total,
    left: total,
    blocked: [],
  };
}

/** The changes of a host by an operator's action; none when the host is in that state already. Pure. */
export function actOn(
  host: HostToActOn,
  action: HostAction,
  options = NO_OPTIONS,
  now = databaseNow(),
): Change {
  if (options.mode && action !== 'drain')
    throw new ServiceError('invalid_request', `${action} takes no mode`);
  switch (action) {
    case 'cordon':
      return { schedulable: false };
    case 'uncordon':
      return {
        schedulable: true,
        drain: null,
        ...(host.state === 'fenced' ? { state: host.heard ? 'up' : 'down' } : {}),
      };
    case 'drain':
      if (options.mode)
        return { schedulable: false, drain: drainOf(host, options.mode, options.graceSeconds, now) };
      if (host.vm_count > 0 && !host.capabilities.includes('migrate')) {
        throw new ServiceError(
          'capability_unsupported',
          `Driver ${host.driver} cannot migrate the ${host.vm_count} VMs of ${host.name} away. Drain it with ` +
            '{"mode": "stop"}: VMs are stopped, and made anew on other hosts where their image allows',
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

/** A host's guests continue to run while it is fenced. Before it receives a command, its inventory must be applied. */
function conditionsAfter(before: HostRow, state: Host['state'], now: Date): Condition[] {
  const conditions =
    state === 'up' ? withoutCondition(before.conditions, HOST_UNREACHABLE) : [...before.conditions];
  if (before.state !== 'fenced' || state === 'fenced') return conditions;
  return withCondition(conditions, {
    type: RECONCILING,
    status: 'true',
    reason: 'Uncordoned',
    message: 'nothing is sent to the host until its inventory has been applied',
    lastTransitionAt: now.toISOString(),
  });
}

/** Cordons, uncordons, drains and fences hosts, and removes empty ones. */
@Injectable()
export class HostActions {
  constructor(
    @SystemDatabase() private readonly db: Database,
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
    options?: HostActionOptions,
  ): Promise<Answered<Host> & { readonly position: Position }> {
    const { result, position } = await withRetry(() =>
      this.db.transaction({}, (tx) =>
        once(tx, meta, async () => toHost(await this.#write(tx, hostId, action, options))),
      ),
    );
    await this.snapshot.refresh();
    if (result.answer.state === 'fenced') await this.unreachable.sweep();
    return { ...result, position };
  }

  async #write(
    tx: Transaction,
    hostId: HostId,
    action: HostAction,
    options: HostActionOptions | undefined,
  ): Promise<HostRow> {
    const { rows } = await tx.query<HostToActOn>(LOCK, [hostId, downAfterMs(this.settings)]);
    const before = rows[0];
    if (!before) throw new ServiceError('not_found', 'There is no such host');
    const { state, schedulable, drain } = before;
    const wanted = { state, schedulable, drain, ...actOn(before, action, options) };
    if (isDeepStrictEqual(wanted, { state, schedulable, drain })) return before;
    const conditions = conditionsAfter(before, wanted.state, databaseNow());
    const [updated] = await tx.pipeline([
      {
        statement: SET,
        params: [
          hostId,
          wanted.state,
          wanted.schedulable,
          JSON.stringify(conditions),
          databaseNow(),
          wanted.drain && JSON.stringify(wanted.drain),
        ],
      },
      { statement: INVENTORY_DUE, params: [hostId] },
    ]);
    const after = updated?.rows[0] as unknown as HostRow;
    await appendEvents(tx, [hostEvent(after)]);
    return after;
  }

  /**
   * Removes an empty host. It can register again only with a new approval of the operator.
   * @returns the host as it was, with the version of its end
   * @throws ServiceError `not_found`; `invalid_state` while it has VMs or has some to remove
   */
  async remove(hostId: HostId): Promise<{ row: HostRow; position: Position }> {
    const { result: row, position } = await withRetry(() =>
      this.db.transaction({}, async (tx) => {
        const { rows } = await tx.query<HostToActOn>(LOCK, [hostId, downAfterMs(this.settings)]);
        const before = rows[0];
        if (!before) throw new ServiceError('not_found', 'There is no such host');
        // Deleted VMs that the host has still to remove count too.
        if (before.vm_count > 0) throw notEmpty(before);
        const now = databaseNow();
        const last: HostRow = { ...before, version: before.version + 1, updated_at: now };
        await tx.pipeline(REMOVALS.map((statement) => ({ statement, params: [hostId] })));
        await appendEvents(tx, [hostEvent(last, 'host.deleted')]);
        return last;
      }),
    );
    await this.snapshot.refresh();
    return { row, position };
  }
}

function notEmpty(host: HostRow): ServiceError {
  return new ServiceError(
    'invalid_state',
    `${host.name} has ${host.vm_count} VMs, counting deleted ones that it has still to remove. Drain it first: ` +
      'POST /hosts/{id}/actions/drain with {"mode": "stop"}',
  );
}
