import { z } from 'zod';
import {
  Conditions,
  Detail,
  Name,
  pageOf,
  pageQuery,
  recordOf,
  text,
  Timestamp,
  ZoneName,
} from './common.js';
import { defineRpc } from './envelope.js';
import { HostId, TenantId, VmId } from './ids.js';

/** A capability that a driver may have beyond create, start, stop and delete. */
export const Capability = z.enum([
  'pause',
  'reboot',
  'reset',
  'suspend',
  'resize',
  'migrate',
  'snapshot',
  'console-log',
  'user-data',
  'direct-kernel',
]);
export type Capability = z.infer<typeof Capability>;

/** `cpu` in virtual CPUs, `memory` in MiB, `disk` in GiB. */
export const Capacity = z.object({
  cpu: z.number().nonnegative().max(1e9),
  memory: z.number().nonnegative().max(1e15),
  disk: z.number().nonnegative().max(1e12),
});
export type Capacity = z.infer<typeof Capacity>;

/** Overcommit factors: virtual CPUs for each physical CPU, GiB of thin disks for each GiB. */
export const Overcommit = z.object({ cpu: z.number().min(1).max(64), disk: z.number().min(1).max(16) });
export type Overcommit = z.infer<typeof Overcommit>;

export const NO_OVERCOMMIT: Overcommit = { cpu: 1, disk: 1 };

/** The capacity that a host may allocate to VMs, in whole virtual CPUs and GiB. Memory has no overcommit. */
export function promisable(physical: Capacity, overcommit: Overcommit): Capacity {
  return {
    cpu: Math.floor(physical.cpu * overcommit.cpu),
    memory: physical.memory,
    disk: Math.floor(physical.disk * overcommit.disk),
  };
}

/**
 * Every condition that a host can have, by type. `source` sets and clears it. A host with a condition that
 * `blocksPlacement` receives no new VMs. Its present VMs stay.
 */
export const HOST_CONDITIONS = {
  /** No heartbeat arrives. */
  HostUnreachable: { source: 'orchestrator', blocksPlacement: true },
  /** The file system of the agent or of the disks is full. */
  StorageFull: { source: 'agent', blocksPlacement: true },
  /** The records of some guests are unreadable. These guests can only be force-stopped and deleted. */
  GuestsDamaged: { source: 'agent', blocksPlacement: false },
  /** The host's clock differs from the control plane's by more than the bound. */
  ClockSkewed: { source: 'orchestrator', blocksPlacement: false },
  /** The host was uncordoned after a fence. It receives no command until its inventory has been applied. */
  Reconciling: { source: 'orchestrator', blocksPlacement: true },
  /** The host has more than its record allows, so its capacity is that of the record. */
  CapacityLimited: { source: 'orchestrator', blocksPlacement: false },
  /** A registration of the host contradicts its record. */
  RecordContradicted: { source: 'orchestrator', blocksPlacement: true },
  /** The host offers images that are not in the catalogue. They are ignored. */
  ImagesUnknown: { source: 'orchestrator', blocksPlacement: false },
} as const satisfies Record<string, { source: 'agent' | 'orchestrator'; blocksPlacement: boolean }>;
export type HostConditionType = keyof typeof HOST_CONDITIONS;

export const HOST_CONDITION_TYPES = Object.keys(HOST_CONDITIONS) as HostConditionType[];

/** The types that the host's agent sets. */
export const AGENT_CONDITION_TYPES = HOST_CONDITION_TYPES.filter(
  (type) => HOST_CONDITIONS[type].source === 'agent',
);

/** Whether the type prevents placement on the host. An unknown type, of a newer version, does not. */
export function blocksPlacement(type: string): boolean {
  const known = HOST_CONDITION_TYPES.find((candidate) => candidate === type);
  return known !== undefined && HOST_CONDITIONS[known].blocksPlacement;
}

/** A condition that the agent reports as true. Tenants may read the message, so it must not name paths or addresses. */
export const ReportedCondition = z.object({
  type: z.enum(AGENT_CONDITION_TYPES as [HostConditionType, ...HostConditionType[]]),
  /** One word in CamelCase. */
  reason: z.string().min(1).max(63),
  message: z.string().max(500),
});
export type ReportedCondition = z.infer<typeof ReportedCondition>;

export const HostCapabilities = z.array(Capability).max(64);
/** The images that one host offers. */
export const ImageNames = z.array(text(63)).max(1_000);
export const HostLabels = recordOf(text(63), text(255), 64);
const identity = {
  zone: ZoneName,
  driver: z
    .string()
    .max(40)
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'lower-case letters, digits and hyphens, at most 40'),
};

/** The record of a host that an operator approved. A registration that contradicts it is refused. */
export const HostRecord = z.object({
  ...identity,
  labels: HostLabels,
  /** The maximum that the host may allocate to VMs. */
  capacity: Capacity,
});
export type HostRecord = z.infer<typeof HostRecord>;

/** A line of the operator's list of approved hosts. Without `capacity`, the first registration times four is the maximum. */
export const ApprovedHost = z.object({
  ...identity,
  hostId: HostId,
  labels: HostLabels.default({}),
  capacity: Capacity.optional(),
});
export type ApprovedHost = z.infer<typeof ApprovedHost>;

/** The host that a join token will approve. */
export const InviteHost = z.strictObject({
  ...identity,
  labels: HostLabels.default({}),
  capacity: Capacity.optional(),
});
export type InviteHost = z.infer<typeof InviteHost>;

/** Only the first answer contains `token`. A repeated request receives null. */
export const HostInvite = z.object({
  ...identity,
  labels: HostLabels,
  capacity: Capacity.nullable(),
  token: z.string().max(100).nullable(),
  expiresAt: Timestamp,
});
export type HostInvite = z.infer<typeof HostInvite>;

/** How a drain moves VMs. `stop`: it stops them, and creates them again on other hosts where the image allows. */
export const DrainMode = z.enum(['stop']);
export type DrainMode = z.infer<typeof DrainMode>;

/** The maximum number of VMs that a drain names. `left` counts all. */
export const BLOCKED_NAMED = 20;

/** The progress of a drain. It ends when the host has no VMs, or with `uncordon`. */
export const HostDrain = z.object({
  mode: DrainMode,
  /** Seconds that a guest has to power off. */
  graceSeconds: z.number().int(),
  startedAt: Timestamp,
  /** When the host had no VMs left. */
  finishedAt: Timestamp.nullable(),
  /** The number of VMs on the host at the start, and now. */
  total: z.number().int(),
  left: z.number().int(),
  /** VMs that cannot leave now, with the reason. */
  blocked: z
    .array(z.object({ vmId: VmId, tenantId: TenantId, name: Name, reason: z.string().max(300) }))
    .max(BLOCKED_NAMED),
});
export type HostDrain = z.infer<typeof HostDrain>;

export const HostState = z.enum(['up', 'down', 'fenced']);
export const Host = z.object({
  id: HostId,
  name: Name,
  zone: text(63),
  driver: z.string().max(40),
  state: HostState,
  /** False when the host is cordoned: it keeps its VMs and receives no new ones. */
  schedulable: z.boolean(),
  capabilities: HostCapabilities,
  images: ImageNames,
  /** The host's resources for guests. `disk` is the free space without the reserve, plus the space that guests use. */
  physical: Capacity,
  /** The host's overcommit factors. */
  overcommit: Overcommit,
  /** The capacity for VMs: `physical` times `overcommit`. */
  capacity: Capacity,
  /** The capacity that is allocated to the VMs on this host. */
  allocated: Capacity,
  /** The capacity for new VMs: `capacity` less `allocated`, but at least 0. */
  free: Capacity,
  vmCount: z.number().int(),
  /** The drain in progress, or the last one. */
  drain: HostDrain.nullable(),
  /** The approved record. Null for a host that registered before records existed. */
  approved: HostRecord.nullable(),
  labels: HostLabels,
  epoch: z.number().int(),
  lastHeartbeatAt: Timestamp.nullable(),
  conditions: Conditions,
  version: z.number().int(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type Host = z.infer<typeof Host>;

export const HostAction = z.enum(['cordon', 'uncordon', 'drain', 'fence']);
export type HostAction = z.infer<typeof HostAction>;

/** Only `drain` reads these options. */
export const HostActionOptions = z.strictObject({
  /** Required when the host has VMs that its driver cannot migrate. */
  mode: DrainMode.optional(),
  graceSeconds: z.number().int().min(0).max(120).default(30),
});
export type HostActionOptions = z.infer<typeof HostActionOptions>;
export const HostPage = pageOf(Host);
export const HostListQuery = z.strictObject({
  ...pageQuery,
  zone: text(63).optional(),
  state: HostState.optional(),
});
export type HostListQuery = z.infer<typeof HostListQuery>;

export const Zone = z.object({
  name: text(63),
  isDefault: z.boolean(),
  /** The first 1,000 by name. The list of images has all of them, with their zones. */
  images: ImageNames,
  hosts: z.object({ up: z.number().int(), total: z.number().int() }),
  capacity: Capacity,
  allocated: Capacity,
});
export type Zone = z.infer<typeof Zone>;

export const Image = z.object({
  name: text(63),
  description: Detail,
  /** The first 1,000 by name. */
  zones: z.array(text(63)).max(1_000),
  minMemory: z.number().int(),
  minDisk: z.number().int(),
});
export type Image = z.infer<typeof Image>;

/** A tenant's limits and usage. */
export const Quota = z.object({
  limits: Capacity.extend({ vms: z.number().int() }),
  used: Capacity.extend({ vms: z.number().int() }),
});
export type Quota = z.infer<typeof Quota>;

export const ZonePage = pageOf(Zone);
export const ImagePage = pageOf(Image);
/** A page of zones or images, in the order of their names. */
export const PageQuery = z.strictObject(pageQuery);
export type PageQuery = z.infer<typeof PageQuery>;

const none = z.object({});
export const infrastructureRpc = {
  hosts: defineRpc('rpc.orchestrator.hosts.list', HostListQuery, HostPage, 'paged'),
  host: defineRpc('rpc.orchestrator.hosts.get', z.object({ id: HostId }), Host, 'bounded'),
  actOnHost: defineRpc(
    'rpc.orchestrator.hosts.act',
    z.object({ id: HostId, action: HostAction, options: HostActionOptions.optional() }),
    Host,
    'bounded',
  ),
  /** Replies with the removed host. */
  removeHost: defineRpc('rpc.orchestrator.hosts.remove', z.object({ id: HostId }), Host, 'bounded'),
  inviteHost: defineRpc('rpc.orchestrator.hosts.invite', InviteHost, HostInvite, 'bounded'),
  zones: defineRpc('rpc.orchestrator.zones.list', PageQuery, ZonePage, 'paged'),
  images: defineRpc('rpc.orchestrator.images.list', PageQuery, ImagePage, 'paged'),
  quota: defineRpc('rpc.orchestrator.quotas.get', none, Quota, 'bounded'),
};
