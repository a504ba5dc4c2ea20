import type { Registered, RegisterHost } from '@novacron/contracts/agents';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import { NO_OVERCOMMIT, promisable } from '@novacron/contracts/infrastructure';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement, Transaction } from '@novacron/postgres/database';
import { isUniqueViolation } from '@novacron/postgres/failure';
import { retrying } from '@novacron/postgres/retry';
import type { Logger } from '@novacron/telemetry/logger';
import { databaseNow } from '../clock.js';
import type { HostSnapshot } from '../placement/snapshot.js';
import {
  createdEvent,
  READ_IMAGES,
  READ_ZONES,
  toImage,
  toZone,
  type ImageRow,
  type ZoneRow,
} from './catalog.js';
import { HOST_COLUMNS, HOST_UNREACHABLE, hostEvent, type HostRow } from './row.js';
import type { HostSettings } from './settings.js';

const NEW_ZONE: Statement = {
  name: 'zones-new',
  text: 'INSERT INTO zones (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING name',
};
const NEW_IMAGES: Statement = {
  name: 'images-new',
  // In the order of names, so that hosts which register together cannot wait for each other.
  text: `INSERT INTO images (name) SELECT name FROM unnest($1::text[]) AS name ORDER BY name
    ON CONFLICT DO NOTHING RETURNING name`,
};
const REGISTER: Statement = {
  name: 'hosts-register',
  // Epochs begin with the generation: after a restore none is given a second time.
  text: `INSERT INTO hosts AS h (id, name, zone, driver, state, capabilities, images, cpu, memory, disk, labels, epoch,
        created_at, updated_at, physical, overcommit)
      VALUES ($1, $2, $3, $4, 'up', $5, $6, $7, $8, $9, $10, (SELECT generation FROM control_plane), $11, $11, $12, $13)
    ON CONFLICT (id) DO UPDATE SET
      name = excluded.name, zone = excluded.zone, driver = excluded.driver, capabilities = excluded.capabilities,
      images = excluded.images, cpu = excluded.cpu, memory = excluded.memory, disk = excluded.disk,
      physical = excluded.physical, overcommit = excluded.overcommit,
      labels = excluded.labels, epoch = greatest(h.epoch + 1, excluded.epoch), updated_at = excluded.updated_at, version = h.version + 1,
      state = CASE WHEN h.state = 'fenced' THEN 'fenced' ELSE 'up' END,
      conditions = (SELECT coalesce(jsonb_agg(c), '[]') FROM jsonb_array_elements(h.conditions) c
                     WHERE c ->> 'type' <> '${HOST_UNREACHABLE}')
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

/** Takes hosts in: each registration is a new epoch, and what was said under the old one counts no more. */
export class Registration {
  constructor(
    private readonly db: Database,
    private readonly snapshot: HostSnapshot,
    private readonly settings: HostSettings,
    private readonly log: Logger,
  ) {}

  /**
   * A host that is fenced stays so. Its inventory is due at once.
   * @throws ServiceError `name_taken` when another host bears the name
   */
  async register(hostId: HostId, said: RegisterHost): Promise<Registered> {
    let written = await retrying(() => this.#write(hostId, said));
    await this.snapshot.refresh();
    // The database was promoted or restored a moment ago: an epoch of before may have been given to this host already.
    if (this.snapshot.generation > written.generation) {
      written = await retrying(() => this.#write(hostId, said));
      await this.snapshot.refresh();
    }
    const { row, generation } = written;
    this.log.info(
      { hostId, host: row.name, zone: row.zone, driver: row.driver, epoch: row.epoch, state: row.state },
      'host registered',
    );
    return { epoch: row.epoch, generation, heartbeatMs: this.settings.heartbeatMs };
  }

  async #write(hostId: HostId, said: RegisterHost): Promise<{ row: HostRow; generation: number }> {
    const now = databaseNow();
    const { name, zone, driver, capabilities, images, labels, physical, overcommit = NO_OVERCOMMIT } = said;
    const capacity = physical ? promisable(physical, overcommit) : said.capacity;
    try {
      const { result } = await this.db.transaction({}, async (tx) => {
        const [zones, newImages, hosts] = await tx.pipeline([
          { statement: NEW_ZONE, params: [zone] },
          { statement: NEW_IMAGES, params: [images] },
          {
            statement: REGISTER,
            params: [
              hostId,
              name,
              zone,
              driver,
              capabilities,
              images,
              capacity.cpu,
              capacity.memory,
              capacity.disk,
              labels,
              now,
              physical ? JSON.stringify(physical) : null,
              JSON.stringify(overcommit),
            ],
          },
          { statement: FIRST_HEARTBEAT, params: [hostId] },
          { statement: INVENTORY_SOON, params: [hostId] },
        ]);
        const row = hosts?.rows[0] as unknown as HostRow & { generation: number };
        const brought = await broughtEvents(tx, namesOf(zones), namesOf(newImages), now);
        await appendEvents(tx, [
          ...brought,
          hostEvent(row, row.version === 1 ? 'host.created' : 'host.updated'),
        ]);
        return { row, generation: row.generation };
      });
      return result;
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new ServiceError('name_taken', `Another host is named ${name}`, { cause: error });
    }
  }
}

function namesOf(result: { rows: Record<string, unknown>[] } | undefined): string[] {
  return (result?.rows ?? []).map((row) => row['name'] as string);
}

/** Events of the zone and images that nobody knew before this host. */
async function broughtEvents(tx: Transaction, zones: string[], images: string[], now: Date) {
  if (zones.length + images.length === 0) return [];
  const [zoneRows, imageRows] = await tx.pipeline([
    { statement: READ_ZONES, params: [zones] },
    { statement: READ_IMAGES, params: [images] },
  ]);
  return [
    ...(zoneRows?.rows as unknown as ZoneRow[]).map((row) => createdEvent('zone', toZone(row), now)),
    ...(imageRows?.rows as unknown as ImageRow[]).map((row) => createdEvent('image', toImage(row), now)),
  ];
}
