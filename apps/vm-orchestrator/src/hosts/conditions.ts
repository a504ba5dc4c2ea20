import { Injectable } from '@nestjs/common';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Condition } from '@novacron/contracts/common';
import type { HostId } from '@novacron/contracts/ids';
import {
  AGENT_CONDITION_TYPES,
  type HostConditionType,
  type ReportedCondition,
} from '@novacron/contracts/infrastructure';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import type { Logger } from '@novacron/telemetry/logger';
import { databaseNow } from '../database/clock.js';
import { HostSnapshot } from './snapshot.js';
import { HOST_COLUMNS, hostEvent, type HostRow } from './row.js';
import { withCondition, withoutCondition } from '../vms/conditions.js';

const LOCK: Statement = {
  name: 'hosts-lock-conditions',
  text: `SELECT ${HOST_COLUMNS} FROM hosts h WHERE h.id = $1 FOR UPDATE OF h`,
};
const SET: Statement = {
  name: 'hosts-set-conditions',
  text: `UPDATE hosts h SET conditions = $2, updated_at = $3, version = version + 1 WHERE h.id = $1
    RETURNING ${HOST_COLUMNS}`,
};

type Change = (conditions: readonly Condition[], now: Date) => Condition[];

/** `conditions` with the agent's own replaced by those that it reports as true. Pure. */
export function withReported(
  conditions: readonly Condition[],
  reported: readonly ReportedCondition[],
  now: Date,
): Condition[] {
  const types = new Set(reported.map(({ type }) => type));
  const gone = AGENT_CONDITION_TYPES.filter((type) => !types.has(type));
  const kept = gone.reduce(withoutCondition, [...conditions]);
  return reported.reduce<Condition[]>((all, condition) => withCondition(all, holds(condition, now)), kept);
}

function holds(condition: Pick<Condition, 'type' | 'reason' | 'message'>, now: Date): Condition {
  return { ...condition, status: 'true', lastTransitionAt: now.toISOString() };
}

/** Keeps the conditions of hosts: one of each type, with an event for each change. */
@Injectable()
export class HostConditions {
  readonly #reporting = new Map<HostId, Promise<void>>();

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly snapshot: HostSnapshot,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  /** Applies the conditions of a heartbeat, one change of a host at a time. Without a change it costs no query. */
  async report(hostId: HostId, reported: readonly ReportedCondition[]): Promise<void> {
    const known = this.snapshot.host(hostId)?.conditions ?? [];
    if (same(withReported(known, reported, databaseNow()), known)) return;
    let running = this.#reporting.get(hostId);
    if (!running) {
      running = this.#change(hostId, (conditions, now) => withReported(conditions, reported, now)).finally(
        () => this.#reporting.delete(hostId),
      );
      this.#reporting.set(hostId, running);
    }
    await running;
  }

  /** Sets a condition of the orchestrator to true. */
  set(hostId: HostId, type: HostConditionType, why: { reason: string; message: string }): Promise<void> {
    return this.#change(hostId, (conditions, now) => withCondition(conditions, holds({ type, ...why }, now)));
  }

  /** Changes conditions depending on the present ones. Without a change in the view it costs no query. */
  async change(hostId: HostId, change: Change): Promise<void> {
    const known = this.snapshot.host(hostId)?.conditions ?? [];
    if (!same(change(known, databaseNow()), known)) await this.#change(hostId, change);
  }

  clear(hostId: HostId, type: HostConditionType): Promise<void> {
    return this.#change(hostId, (conditions) => withoutCondition(conditions, type));
  }

  async #change(hostId: HostId, change: Change): Promise<void> {
    const { result: row } = await withRetry(() =>
      this.db.transaction({}, async (tx) => {
        const before = (await tx.query<HostRow>(LOCK, [hostId])).rows[0];
        if (!before) return null;
        const now = databaseNow();
        const conditions = change(before.conditions, now);
        if (same(conditions, before.conditions)) return null;
        const { rows } = await tx.query<HostRow>(SET, [hostId, JSON.stringify(conditions), now]);
        const after = rows[0] as HostRow;
        await appendEvents(tx, [hostEvent(after)]);
        return after;
      }),
    );
    await this.snapshot.refresh();
    if (row) this.log.warn({ hostId, host: row.name, conditions: row.conditions }, 'host conditions changed');
  }
}

/** Whether both are equal in any order, without the times of transitions. */
function same(a: readonly Condition[], b: readonly Condition[]): boolean {
  const text = (conditions: readonly Condition[]) =>
    conditions
      .map(({ type, status, reason, message }) => JSON.stringify([type, status, reason, message]))
      .sort()
      .join();
  return text(a) === text(b);
}
