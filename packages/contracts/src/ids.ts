import { uuidv7 } from 'uuidv7';
import { z } from 'zod';

/**
 * Branded ids: no bare string travels between two services. A UUID may be written in either case (RFC 9562 §4); the
 * lower-case form is the one that caches, subjects and keys use, so every door parses to it.
 */
const id = <Brand extends string>(brand: Brand) => z.uuid().toLowerCase().brand(brand);

export const TenantId = id('TenantId');
export type TenantId = z.infer<typeof TenantId>;
export const VmId = id('VmId');
export type VmId = z.infer<typeof VmId>;
export const JobId = id('JobId');
export type JobId = z.infer<typeof JobId>;
export const HostId = id('HostId');
export type HostId = z.infer<typeof HostId>;
export const EventId = id('EventId');
export type EventId = z.infer<typeof EventId>;

/** A new UUIDv7 (RFC 9562): sortable by its millisecond, so that inserts stay at an index's right edge. */
export function newId<T extends string>(): T {
  return uuidv7() as T;
}
