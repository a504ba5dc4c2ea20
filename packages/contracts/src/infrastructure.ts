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

/** What a driver can do beyond create, start, stop and delete. */
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

/** How many times what a host has it may promise: virtual CPUs for each real one, GiB of thin disks for each GiB. */
export const Overcommit = z.object({ cpu: z.number().min(1).max(64), disk: z.number().min(1).max(16) });
export type Overcommit = z.infer<typeof Overcommit>;

export const NO_OVERCOMMIT: Overcommit = { cpu: 1, disk: 1 };

/** What a host may promise to VMs, of what it has. Whole virtual CPUs and GiB; memory is never promised twice. */
export function promisable(physical: Capacity, overcommit: Overcommit): Capacity {
  return {
    cpu: Math.floor(physical.cpu * overcommit.cpu),
    memory: physical.memory,
    disk: Math.floor(physical.disk * overcommit.disk),
  };
}

/**
 * Every condition that a host can have, by type. `source` sets and clears it. A host with a condition that
 * `blocksPlacement` gets no new VMs; the VMs that it has stay.
 */
export const HOST_CONDITIONS = {
  /** No heartbeat arrives. */
  HostUnreachable: { source: 'orchestrator', blocksPlacement: true },
  /** The file system of the agent or of the disks is full. */
  StorageFull: { source: 'agent', blocksPlacement: true },
  /** Some guests' records cannot be read: they can be force-stopped and deleted, and nothing else. */
  GuestsDamaged: { source: 'agent', blocksPlacement: false },
  /** The host's clock differs from the control plane's by more than the bound. */
  ClockSkewed: { source: 'orchestrator', blocksPlacement: false },
  /** Uncordoned after a fence: nothing is sent until its inventory has been applied. */
  Reconciling: { source: 'orchestrator', blocksPlacement: true },
  /** The host has more than its record lets it promise: it promises what the record allows. */
  CapacityLimited: { source: 'orchestrator', blocksPlacement: false },
  /** The host claims something that contradicts its record. */
  RecordContradicted: { source: 'orchestrator', blocksPlacement: true },
  /** The host offers images that the catalogue does not have: they are ignored. */
  ImagesUnknown: { source: 'orchestrator', blocksPlacement: false },
} as const satisfies Record<string, { source: 'agent' | 'orchestrator'; blocksPlacement: boolean }>;
export type HostConditionType = keyof typeof HOST_CONDITIONS;

export const HOST_CONDITION_TYPES = Object.keys(HOST_CONDITIONS) as HostConditionType[];

/** The types that the host's own agent sets. */
export const AGENT_CONDITION_TYPES = HOST_CONDITION_TYPES.filter(
  (type) => HOST_CONDITIONS[type].source === 'agent',
);

/** Whether the type keeps new VMs away from the host; an unknown type (of a newer version) does not. */
export function blocksPlacement(type: string): boolean {
  const known = HOST_CONDITION_TYPES.find((candidate) => candidate === type);
  return known !== undefined && HOST_CONDITIONS[known].blocksPlacement;
}

/** A condition that the agent reports as true. Tenants may read the message: no paths, no addresses. */
export const ReportedCondition = z.object({
  type: z.enum(AGENT_CONDITION_TYPES as [HostConditionType, ...HostConditionType[]]),
  /** One word in CamelCase. */
  reason: z.string().min(1).max(63),
  message: z.string().max(500),
});
export type ReportedCondition = z.infer<typeof ReportedCondition>;

export const HostCapabilities = z.array(Capability).max(64);
/** At most 1,000 names: what one host may offer. */
export const ImageNames = z.array(text(63)).max(1_000);
export const HostLabels = recordOf(text(63), text(255), 64);
const identity = {
  zone: ZoneName,
  driver: z
    .string()
    .max(40)
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'lower-case letters, digits and hyphens, at most 40'),
};

/** What the operator lets a host be: a registration that says something else is refused, one that says more is bounded. */
export const HostRecord = z.object({
  ...identity,
  labels: HostLabels,
  /** The most that the host may promise to VMs. */
  capacity: Capacity,
});
export type HostRecord = z.infer<typeof HostRecord>;

/** A line of the operator's list of hosts. Without `capacity` it may grow to four times what it said at first. */
export const ApprovedHost = z.object({
  ...identity,
  hostId: HostId,
  labels: HostLabels.default({}),
  capacity: Capacity.optional(),
});
export type ApprovedHost = z.infer<typeof ApprovedHost>;

/** What a join token is to approve. */
export const InviteHost = z.strictObject({
  ...identity,
  labels: HostLabels.default({}),
  capacity: Capacity.optional(),
});
export type InviteHost = z.infer<typeof InviteHost>;

/** `token` is shown once: a repeated request is answered with null. */
export const HostInvite = z.object({
  ...identity,
  labels: HostLabels,
  capacity: Capacity.nullable(),
  token: z.string().max(100).nullable(),
  expiresAt: Timestamp,
});
export type HostInvite = z.infer<typeof HostInvite>;

/** What a drain does with the VMs of the host. `stop`: stop them, and make them anew elsewhere where the image allows. */
export const DrainMode = z.enum(['stop']);
export type DrainMode = z.infer<typeof DrainMode>;

/** VMs that a drain names; the rest is counted in `left`. */
export const BLOCKED_NAMED = 20;

/** A drain and how far it is. It ends when the host has nothing left, or with `uncordon`. */
export const HostDrain = z.object({
  mode: DrainMode,
  /** Seconds that a guest gets to power off. */
  graceSeconds: z.number().int(),
  startedAt: Timestamp,
  /** When the host had nothing left. */
  finishedAt: Timestamp.nullable(),
  /** VMs on the host when it began, and now. */
  total: z.number().int(),
  left: z.number().int(),
  /** VMs that cannot leave now, and why. */
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
  /** Cordoned: keeps what it has, gets nothing new. */
  schedulable: z.boolean(),
  capabilities: HostCapabilities,
  images: ImageNames,
  /** What the host has for guests. `disk` is what is free without its reserve, and what guests have written. */
  physical: Capacity,
  /** The factors by which it may promise more than it has. */
  overcommit: Overcommit,
  /** What may be promised to VMs: `physical` times `overcommit`. */
  capacity: Capacity,
  /** What is promised to the VMs that are placed here. */
  allocated: Capacity,
  /** What a new VM may get: `capacity` less `allocated`, or 0 when more is promised than there is. */
  free: Capacity,
  vmCount: z.number().int(),
  /** The drain that is under way or ended last. */
  drain: HostDrain.nullable(),
  /** What the operator lets it be; null for a host that registered before there were records. */
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

/** Of `drain` alone. */
export const HostActionOptions = z.strictObject({
  /** Needed when the host has VMs that its driver cannot migrate. */
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
  /** The first 1,000 by name; the list of images has them all, with their zones. */
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

/** A tenant's limits and what is taken of them. */
export const Quota = z.object({
  limits: Capacity.extend({ vms: z.number().int() }),
  used: Capacity.extend({ vms: z.number().int() }),
});
export type Quota = z.infer<typeof Quota>;

export const ZonePage = pageOf(Zone);
export const ImagePage = pageOf(Image);
/** Of zones and images, in the order of their names. */
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
  /** Answers the host as it was. */
  removeHost: defineRpc('rpc.orchestrator.hosts.remove', z.object({ id: HostId }), Host, 'bounded'),
  inviteHost: defineRpc('rpc.orchestrator.hosts.invite', InviteHost, HostInvite, 'bounded'),
  zones: defineRpc('rpc.orchestrator.zones.list', PageQuery, ZonePage, 'paged'),
  images: defineRpc('rpc.orchestrator.images.list', PageQuery, ImagePage, 'paged'),
  quota: defineRpc('rpc.orchestrator.quotas.get', none, Quota, 'bounded'),
};
