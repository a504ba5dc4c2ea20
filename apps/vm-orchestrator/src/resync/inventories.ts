import { Injectable } from '@nestjs/common';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Inventory, VmFact } from '@novacron/contracts/agents';
import type { HostId, VmId } from '@novacron/contracts/ids';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import { appendCall } from '@novacron/outbox/append';
import type { Logger } from '@novacron/telemetry/logger';
import { databaseNow } from '../database/clock.js';
import { HOST_COLUMNS, hostEvent, RECONCILING, type HostRow } from '../hosts/row.js';
import { AllocationAudit } from './audit.js';
import { admitFacts, applyFacts, knownVms, type FactsApplied } from './facts.js';
import { countQuarantined, forgetGone, isStranger, quarantine } from './quarantine.js';
import type { Stamp } from './judge.js';

const KEEP_PART: Statement = {
  name: 'inventory-part',
  text: `INSERT INTO inventory_parts (host_id, epoch, seq, part, vm_ids) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING`,
};
const PARTS: Statement = {
  name: 'inventory-parts',
  text: 'SELECT vm_ids FROM inventory_parts WHERE host_id = $1 AND epoch = $2 AND seq = $3',
};
const NOT_PRESENT: Statement = {
  name: 'inventory-absent',
  text: `SELECT id, incarnation FROM vms WHERE host_id = $1 AND state NOT IN ('deleted', 'deleting')
      AND task IS NULL AND NOT id = ANY($2)`,
};
const COMPLETE: Statement = {
  name: 'inventory-complete',
  text: 'UPDATE inventories SET epoch = $2, seq = $3 WHERE host_id = $1',
};
const RECONCILED: Statement = {
  name: 'inventory-reconciled',
  text: `UPDATE hosts h SET version = version + 1, updated_at = $2,
      conditions = (SELECT coalesce(jsonb_agg(c), '[]') FROM jsonb_array_elements(h.conditions) c
                     WHERE c ->> 'type' <> '${RECONCILING}')
    WHERE h.id = $1 AND h.conditions @> '[{"type": "${RECONCILING}"}]' RETURNING ${HOST_COLUMNS}`,
};
/** Makes the next round ask the host soon, for clean-ups that are left. */
const ASK_SOON: Statement = {
  name: 'inventory-ask-soon',
  text: 'UPDATE inventories SET next_at = now() WHERE host_id = $1',
};
const FORGET_PARTS: Statement = {
  name: 'inventory-parts-forget',
  text: 'DELETE FROM inventory_parts WHERE host_id = $1',
};

interface Outcome extends FactsApplied {
  readonly admitted: 'apply' | 'ignore' | 'register';
  readonly strangers: VmId[];
  readonly complete: boolean;
}
const NOTHING = { changed: 0, waiting: [], strangers: [], complete: false };

/** Applies complete inventories of hosts, which also correct the database after lost reports. */
@Injectable()
export class Inventories {
  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly audit: AllocationAudit,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  /** Applies one part. Missing VMs are judged when every part has arrived, at any orchestrator. */
  async apply(hostId: HostId, part: Inventory): Promise<{ needed: 'nothing' | 'register' }> {
    const { result } = await withRetry(() => this.db.transaction({}, (tx) => this.#write(tx, hostId, part)));
    if (result.changed > 0) this.log.info({ hostId, vms: result.changed }, 'inventory changed VMs');
    if (result.strangers.length > 0) {
      this.log.error(
        { hostId, vmIds: result.strangers.slice(0, 20), guests: result.strangers.length },
        'host has guests that should not be there',
      );
    }
    if (result.complete) {
      await countQuarantined(this.db);
      await this.audit.run(hostId);
    }
    return { needed: result.admitted === 'register' ? 'register' : 'nothing' };
  }

  async #write(tx: Transaction, hostId: HostId, part: Inventory): Promise<Outcome> {
    const admitted = await admitFacts(tx, hostId, part);
    if (admitted !== 'apply') return { admitted, ...NOTHING };
    const facts = new Map(part.facts.map((fact) => [fact.vmId, fact]));
    const known = await knownVms(tx, [...facts.keys()]);
    const applied = await applyFacts(tx, hostId, part, facts, known);
    const now = databaseNow();
    const guests = part.facts.filter(({ power }) => power !== 'absent');
    const strangers = await quarantine(
      tx,
      hostId,
      guests.filter(({ vmId }) => isStranger(hostId, known.get(vmId), now)),
    );
    const present = await presentIds(
      tx,
      hostId,
      part,
      guests.map(({ vmId }) => vmId),
    );
    if (!present) return { admitted, ...applied, strangers, complete: false };
    const lost = await applyAbsence(tx, hostId, part, present);
    await forgetGone(tx, hostId, present);
    const [, , reconciled] = await tx.pipeline([
      { statement: COMPLETE, params: [hostId, part.epoch, part.seq] },
      { statement: FORGET_PARTS, params: [hostId] },
      { statement: RECONCILED, params: [hostId, now] },
    ]);
    const host = reconciled?.rows[0] as unknown as HostRow | undefined;
    if (host) await tx.pipeline([{ statement: ASK_SOON, params: [hostId] }, appendCall([hostEvent(host)])]);
    return { admitted, ...applied, changed: applied.changed + lost.changed, strangers, complete: true };
  }
}

/** The VMs of all parts once the last has arrived; null before. */
async function presentIds(
  tx: Transaction,
  hostId: HostId,
  part: Inventory,
  own: VmId[],
): Promise<VmId[] | null> {
  if (part.parts === 1) return own;
  const [, parts] = await tx.pipeline([
    { statement: KEEP_PART, params: [hostId, part.epoch, part.seq, part.part, own] },
    { statement: PARTS, params: [hostId, part.epoch, part.seq] },
  ]);
  const rows = (parts?.rows ?? []) as unknown as { vm_ids: VmId[] }[];
  if (rows.length < part.parts) return null;
  return rows.flatMap((row) => row.vm_ids);
}

/** A VM that the inventory does not name is not on the host. */
async function applyAbsence(
  tx: Transaction,
  hostId: HostId,
  stamp: Stamp,
  present: readonly VmId[],
): Promise<FactsApplied> {
  const { rows } = await tx.query<{ id: VmId; incarnation: number }>(NOT_PRESENT, [hostId, [...present]]);
  const absent = new Map<VmId, VmFact>(
    rows.map(({ id, incarnation }) => [id, { vmId: id, power: 'absent', incarnation, reason: null }]),
  );
  return applyFacts(tx, hostId, stamp, absent, await knownVms(tx, [...absent.keys()]));
}
