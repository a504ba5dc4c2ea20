import type { RegisterHost } from '@novacron/contracts/agents';
import type { Condition } from '@novacron/contracts/common';
import type { HostId } from '@novacron/contracts/ids';
import { NO_OVERCOMMIT, type HostRecord } from '@novacron/contracts/infrastructure';
import { appendEvents } from '@novacron/outbox/append';
import type { Statement, Transaction } from '@novacron/postgres/database';
import { READ_ZONES, zoneEvent, type ZoneRow } from './catalog.js';
import { useInviteCall } from './host-invites.js';
import { bounded, saidCapacity } from './host-record.js';
import { HOST_COLUMNS, HOST_UNREACHABLE, hostEvent, type HostRow } from './row.js';
import { withCondition, withoutCondition } from '../vms/conditions.js';

const NEW_ZONE: Statement = {
  name: 'zones-new',
  text: 'INSERT INTO zones (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING name',
};
const CONTRADICTED: Statement = {
  name: 'hosts-contradicted',
  text: `UPDATE hosts h SET conditions = $2, schedulable = false, updated_at = $3, version = version + 1 WHERE h.id = $1
    RETURNING ${HOST_COLUMNS}`,
};
const REGISTER: Statement = {
  name: 'hosts-register',
  // Epochs begin with the generation: after a restore no epoch is used a second time.
  text: `INSERT INTO hosts AS h (id, name, zone, driver, state, capabilities, images, cpu, memory, disk, labels, epoch,
        created_at, updated_at, physical, overcommit, approved, conditions)
      VALUES ($1, $2, $3, $4, 'up', $5, $6, $7, $8, $9, $10, (SELECT generation FROM control_plane), $11, $11, $12, $13, $14, $15)
    ON CONFLICT (id) DO UPDATE SET
      name = excluded.name, zone = excluded.zone, driver = excluded.driver, capabilities = excluded.capabilities,
      images = excluded.images, cpu = excluded.cpu, memory = excluded.memory, disk = excluded.disk,
      physical = excluded.physical, overcommit = excluded.overcommit, approved = excluded.approved,
      conditions = excluded.conditions,
      labels = excluded.labels, epoch = greatest(h.epoch + 1, excluded.epoch), updated_at = excluded.updated_at, version = h.version + 1,
      state = CASE WHEN h.state = 'fenced' THEN 'fenced' ELSE 'up' END
    RETURNING ${HOST_COLUMNS}, (SELECT generation FROM control_plane) AS generation`,
};
const FIRST_HEARTBEAT: Statement = {
  name: 'heartbeats-first',
  text: `INSERT INTO heartbeats (host_id, at) VALUES ($1, now())
    ON CONFLICT (host_id) DO UPDATE SET at = excluded.at`,
};
const INVENTORY_SOON: Statement = {
  name: 'inventories-soon',
  text: `INSERT INTO inventories (host_id, next_at) VALUES ($1, now())
    ON CONFLICT (host_id) DO UPDATE SET next_at = excluded.next_at`,
};

/** Named in a condition; the rest is counted. */
const IMAGES_NAMED = 5;

/** The database's row of a host that registers. */
export interface Before extends Pick<
  HostRow,
  'zone' | 'driver' | 'labels' | 'approved' | 'conditions' | 'schedulable'
> {}

/** Cordons a host that contradicts its record, with a condition; writes nothing when it has that already. */
export async function contradicted(tx: Transaction, hostId: HostId, before: Before, what: string, now: Date) {
  const message = what.slice(0, 500);
  const known = before.conditions.find(({ type }) => type === 'RecordContradicted');
  if (known?.message === message && !before.schedulable) return;
  const condition = {
    type: 'RecordContradicted',
    status: 'true',
    reason: 'RegistrationRefused',
    message,
  } as const;
  const conditions = withCondition(before.conditions, { ...condition, lastTransitionAt: now.toISOString() });
  const { rows } = await tx.query<HostRow>(CONTRADICTED, [hostId, JSON.stringify(conditions), now]);
  await appendEvents(tx, [hostEvent(rows[0] as HostRow)]);
}

/** The conditions of a host whose registration was accepted. Pure. */
export function registeredConditions(
  before: readonly Condition[],
  ignored: readonly string[],
  now: Date,
): Condition[] {
  const kept = [HOST_UNREACHABLE, 'RecordContradicted'].reduce(withoutCondition, [...before]);
  if (ignored.length === 0) return withoutCondition(kept, 'ImagesUnknown');
  const named = ignored.slice(0, IMAGES_NAMED).join(', ');
  const more = ignored.length > IMAGES_NAMED ? ', …' : '';
  return withCondition(kept, {
    type: 'ImagesUnknown',
    status: 'true',
    reason: 'NotInCatalogue',
    message: `${ignored.length} offered images are not in the catalogue: ${named}${more}`.slice(0, 500),
    lastTransitionAt: now.toISOString(),
  });
}

interface Entry {
  readonly hostId: HostId;
  readonly said: RegisterHost;
  readonly images: readonly string[];
  readonly record: HostRecord;
  readonly conditions: readonly Condition[];
  readonly now: Date;
}

/** Writes an accepted registration: a new epoch, the first heartbeat, an inventory that is due, and the events. */
export async function enter(tx: Transaction, entry: Entry): Promise<{ row: HostRow; generation: number }> {
  const { hostId, said, images, record, conditions, now } = entry;
  const { cpu, memory, disk } = bounded(saidCapacity(said), record);
  const [zones, hosts] = await tx.pipeline([
    { statement: NEW_ZONE, params: [said.zone] },
    {
      statement: REGISTER,
      params: [
        hostId,
        said.name,
        said.zone,
        said.driver,
        said.capabilities,
        images,
        cpu,
        memory,
        disk,
        said.labels,
        now,
        said.physical ? JSON.stringify(said.physical) : null,
        JSON.stringify(said.overcommit ?? NO_OVERCOMMIT),
        JSON.stringify(record),
        JSON.stringify(conditions),
      ],
    },
    { statement: FIRST_HEARTBEAT, params: [hostId] },
    { statement: INVENTORY_SOON, params: [hostId] },
    ...(said.joinToken === undefined ? [] : [useInviteCall(said.joinToken, hostId)]),
  ]);
  const row = hosts?.rows[0] as unknown as HostRow & { generation: number };
  const event = hostEvent(row, row.version === 1 ? 'host.created' : 'host.updated');
  await appendEvents(tx, [...(await broughtZones(tx, namesOf(zones), now)), event]);
  return { row, generation: row.generation };
}

export function namesOf(result: { rows: Record<string, unknown>[] } | undefined): string[] {
  return (result?.rows ?? []).map((row) => row['name'] as string);
}

/** The events of zones of which this host is the first. */
async function broughtZones(tx: Transaction, zones: string[], now: Date) {
  if (zones.length === 0) return [];
  const { rows } = await tx.query<ZoneRow>(READ_ZONES, [zones]);
  return rows.map((row) => zoneEvent(row, now));
}
