import type { VmId } from '@novacron/contracts/ids';
import { DriverError } from '../driver.js';
import type { GuestRecord } from './guest-record.js';
import type { GuestRegistry } from './guest-registry.js';

/** The VM's record; undefined when the host does not have the VM. @throws DriverError when the record is damaged */
export async function readableRecord(guests: GuestRegistry, vmId: VmId): Promise<GuestRecord | undefined> {
  const record = await guests.record(vmId);
  if (record !== 'damaged') return record;
  const detail = 'the host cannot read its record of this VM: it can only be force-stopped and deleted';
  throw new DriverError('driver_error', detail, false);
}

/** The VM's record. @throws DriverError when there is none, or when it is damaged */
export async function requireRecord(guests: GuestRegistry, vmId: VmId): Promise<GuestRecord> {
  const record = await readableRecord(guests, vmId);
  if (!record) throw new DriverError('not_found', `there is no VM ${vmId} on this host`, false);
  return record;
}
