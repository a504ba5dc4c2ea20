import { uuidv7 } from 'uuidv7';
import { z } from 'zod';

/**
 * Branded ids: no bare string travels between two services. A UUID may have either case (RFC 9562 §4). Caches, subjects
 * and keys use the lower-case form, so each schema parses to it.
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

/** A new UUIDv7 (RFC 9562). It sorts by its millisecond, so inserts stay at the right edge of an index. */
export function newId<T extends string>(): T {
  return uuidv7() as T;
}
