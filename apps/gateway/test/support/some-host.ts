import type { HostId } from '@novacron/contracts/ids';

export const HOST = '01890000-0000-7000-8000-000000000001' as HostId;
/** When everything happens. */
export const at = '2026-11-23T16:30:00.000Z';

/** A simulated host that is up. */
export const SOME_HOST = {
  id: HOST,
  name: 'host-1',
  zone: 'sim',
  driver: 'simulated',
  state: 'up',
  schedulable: true,
  capabilities: [],
  images: [],
  physical: { cpu: 1, memory: 1, disk: 1 },
  overcommit: { cpu: 1, disk: 1 },
  capacity: { cpu: 1, memory: 1, disk: 1 },
  free: { cpu: 1, memory: 1, disk: 1 },
  allocated: { cpu: 0, memory: 0, disk: 0 },
  vmCount: 0,
  approved: null,
  drain: null,
  labels: {},
  epoch: 1,
  lastHeartbeatAt: at,
  conditions: [],
  version: 1,
  createdAt: at,
  updatedAt: at,
};
