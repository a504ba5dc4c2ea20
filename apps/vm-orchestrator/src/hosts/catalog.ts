import { PLATFORM } from '@novacron/contracts/events';
import { newId, type EventId } from '@novacron/contracts/ids';
import type { Image, Zone } from '@novacron/contracts/infrastructure';
import { tokenOfName } from '@novacron/contracts/subject';
import type { NewEvent } from '@novacron/outbox/append';
import type { Statement } from '@novacron/postgres/database';

/** Names within one zone or image: the contract's bound. */
const NAMES_SHOWN = 1_000;

/** Zones with the totals of their hosts; capacity counts hosts that are up. */
const ZONES = `SELECT z.name, z.is_default,
      coalesce((SELECT array_agg(i ORDER BY i) FROM (SELECT DISTINCT i FROM hosts x, unnest(x.images) i
        WHERE x.zone = z.name ORDER BY i LIMIT ${NAMES_SHOWN}) AS offered), '{}') AS images,
      count(h.id) FILTER (WHERE h.state = 'up')::int AS up, count(h.id)::int AS total,
      coalesce(sum(h.cpu) FILTER (WHERE h.state = 'up'), 0) AS cpu,
      coalesce(sum(h.memory) FILTER (WHERE h.state = 'up'), 0) AS memory,
      coalesce(sum(h.disk) FILTER (WHERE h.state = 'up'), 0) AS disk,
      coalesce(sum(h.allocated_cpu), 0) AS allocated_cpu,
      coalesce(sum(h.allocated_memory), 0) AS allocated_memory,
      coalesce(sum(h.allocated_disk), 0) AS allocated_disk
    FROM zones z LEFT JOIN hosts h ON h.zone = z.name`;

/** Images with the zones whose hosts have them. */
const IMAGES = `SELECT i.name, i.description, i.min_memory, i.min_disk, i.version,
      coalesce((SELECT array_agg(zone ORDER BY zone) FROM (SELECT DISTINCT h.zone FROM hosts h
        WHERE i.name = ANY(h.images) ORDER BY h.zone LIMIT ${NAMES_SHOWN}) AS offering), '{}') AS zones
    FROM images i`;

export const READ_ZONES: Statement = {
  name: 'zones-read',
  text: `${ZONES} WHERE z.name = ANY($1) GROUP BY z.name, z.is_default`,
};
export const READ_IMAGES: Statement = { name: 'images-read', text: `${IMAGES} WHERE i.name = ANY($1)` };

/** Of zones after the name `$1`, or from the first, at most `$2`. */
export const LIST_ZONES: Statement = {
  name: 'zones-list',
  text: `${ZONES} WHERE $1::text IS NULL OR z.name > $1 GROUP BY z.name, z.is_default ORDER BY z.name LIMIT $2`,
};
/** Of configured images after the name `$1`, or from the first, at most `$2`. */
export const LIST_IMAGES: Statement = {
  name: 'images-list',
  text: `${IMAGES} WHERE i.configured AND ($1::text IS NULL OR i.name > $1) ORDER BY i.name LIMIT $2`,
};

export interface ZoneRow {
  name: string;
  is_default: boolean;
  images: string[];
  up: number;
  total: number;
  cpu: number;
  memory: number;
  disk: number;
  allocated_cpu: number;
  allocated_memory: number;
  allocated_disk: number;
}

export interface ImageRow {
  name: string;
  description: string;
  min_memory: number;
  min_disk: number;
  version: number;
  zones: string[];
}

export function toZone(row: ZoneRow): Zone {
  return {
    name: row.name,
    isDefault: row.is_default,
    images: row.images,
    hosts: { up: row.up, total: row.total },
    capacity: { cpu: row.cpu, memory: row.memory, disk: row.disk },
    allocated: { cpu: row.allocated_cpu, memory: row.allocated_memory, disk: row.allocated_disk },
  };
}

export function toImage(row: ImageRow): Image {
  return {
    name: row.name,
    description: row.description,
    zones: row.zones,
    minMemory: row.min_memory,
    minDisk: row.min_disk,
  };
}

/** A zone that a registration has added; it does not change afterwards, so its version is 1. */
export function zoneEvent(row: ZoneRow, now: Date): NewEvent {
  return catalogueEvent('zone', 'zone.created', toZone(row), 1, now);
}

/** An image that the operator configured, or retired. */
export function imageEvent(row: ImageRow, type: 'image.created' | 'image.deleted', now: Date): NewEvent {
  return catalogueEvent('image', type, toImage(row), row.version, now);
}

function catalogueEvent(
  kind: 'zone' | 'image',
  type: string,
  resource: Zone | Image,
  version: number,
  now: Date,
): NewEvent {
  return {
    id: newId<EventId>(),
    type,
    tenantId: PLATFORM,
    kind,
    resourceId: tokenOfName(resource.name),
    version,
    at: now.toISOString(),
    data: resource,
  };
}
