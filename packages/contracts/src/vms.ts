import { OFFERED_ACTIONS, VM_ACTIONS, type VmAction } from '@novacron/vm-lifecycle/actions';
import { VM_STATES, type VmState } from '@novacron/vm-lifecycle/states';
import { z } from 'zod';
import {
  Conditions,
  Detail,
  Name,
  pageOf,
  pageQuery,
  Tags,
  Term,
  text,
  Timestamp,
  ZoneName,
  TagChanges,
} from './common.js';
import { defineRpc } from './envelope.js';
import { HostId, JobId, TenantId, VmId } from './ids.js';
import { Job } from './jobs.js';
import { CONSOLE_BYTES, jsonBytes } from './reply-size.js';

export const VmStateName = z.enum(VM_STATES as [VmState, ...VmState[]]);
export const VmActionName = z.enum(VM_ACTIONS as [VmAction, ...VmAction[]]);
const OfferedAction = z.enum(OFFERED_ACTIONS as [VmAction, ...VmAction[]]);

/** The size and image of a VM: `cpu` in virtual CPUs, `memory` in MiB, `disk` in GiB. */
export const VmConfig = z.strictObject({
  cpu: z.number().int().min(1).max(256),
  memory: z.number().int().min(64).max(4_194_304),
  disk: z.number().int().min(1).max(65_536),
  image: text(63).min(1),
});
export type VmConfig = z.infer<typeof VmConfig>;

/**
 * Whether a guest that ended unexpectedly is started again. `on-failure` does not restart a guest that powered itself
 * off. A VM that its user stopped is never restarted. `backoff` is the delay of the first restart in seconds. It doubles
 * with each further restart, up to 300 or `backoff`, whichever is larger. After `maxAttempts` restarts without 10 minutes
 * of running between them, the VM stays off.
 */
export const RestartPolicy = z.strictObject({
  mode: z.enum(['never', 'on-failure', 'always']),
  maxAttempts: z.number().int().min(1).max(1_000).default(5),
  backoff: z.number().int().min(1).max(3_600).default(10),
});
export type RestartPolicy = z.infer<typeof RestartPolicy>;

export const CreateVm = z.strictObject({
  name: Name,
  config: VmConfig,
  zone: ZoneName.optional(),
  tags: Tags.default({}),
  /** cloud-init user data. */
  userData: text(65_536).optional(),
  sshKeys: z.array(text(2_000)).max(50).default([]),
  autostart: z.boolean().default(true),
  /** The default is `never`. */
  restartPolicy: RestartPolicy.optional(),
});
export type CreateVm = z.infer<typeof CreateVm>;

const isNotEmpty = (patch: object): boolean => Object.keys(patch).length > 0;

/** Changes of a VM. `tags` replaces all tags. */
export const PatchVm = z
  .strictObject({ name: Name.optional(), tags: Tags.optional(), restartPolicy: RestartPolicy.optional() })
  .refine(isNotEmpty, 'name, tags or restartPolicy');

/**
 * Changes of a VM as a JSON Merge Patch (RFC 7396). Tags that are not named stay. Null removes one tag, or all. A restart
 * policy is replaced as a whole.
 */
export const MergePatchVm = z
  .strictObject({
    name: Name.optional(),
    tags: TagChanges.nullable().optional(),
    restartPolicy: RestartPolicy.optional(),
  })
  .refine(isNotEmpty, 'name, tags or restartPolicy');

/** Changes of a VM as the orchestrator takes them: all tags, or changes of some. An older one refuses unknown fields. */
const VmPatch = z
  .strictObject({
    name: Name.optional(),
    tags: Tags.optional(),
    tagChanges: TagChanges.optional(),
    restartPolicy: RestartPolicy.optional(),
  })
  .refine(isNotEmpty, 'name, tags or restartPolicy');

/** The live job of a VM. */
export const VmTask = z.object({
  jobId: JobId,
  kind: Term,
  step: Term,
  stepIndex: z.number().int(),
  stepCount: z.number().int(),
  deadline: Timestamp,
});

/** The condition of a VM whose guest has reported on the console that its user space is up. `running` does not imply it. */
export const GUEST_READY = 'GuestReady';

export const Vm = z.object({
  id: VmId,
  tenantId: TenantId,
  name: Name,
  state: VmStateName,
  /** The state that the user requested. */
  desiredState: z.enum(['running', 'stopped', 'paused', 'suspended', 'deleted']),
  config: VmConfig,
  zone: text(63),
  hostId: HostId.nullable(),
  tags: Tags,
  task: VmTask.nullable(),
  conditions: Conditions,
  /** Why the VM is stopped: `user`, `guest_shutdown`, `start_failed`, `host_lost`, … */
  stopReason: Term.nullable(),
  lastError: z.object({ code: Term, detail: Detail, at: Timestamp }).nullable(),
  restartPolicy: RestartPolicy.default({ mode: 'never', maxAttempts: 5, backoff: 10 }),
  /** Grows with each change of the spec. `observedGeneration` follows when the change is carried out. */
  generation: z.number().int(),
  observedGeneration: z.number().int(),
  /** Counts the guest processes of the VM; 0 before the first. */
  incarnation: z.number().int(),
  version: z.number().int(),
  allowedActions: z.array(OfferedAction).max(OFFERED_ACTIONS.length),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type Vm = z.infer<typeof Vm>;

export const VmPage = pageOf(Vm);

/** `sort` is `createdAt`, `name` or `updatedAt`. A leading `-` means descending order. */
export const VmListQuery = z.strictObject({
  ...pageQuery,
  state: z.array(VmStateName).max(18).optional(),
  /** `key` or `key=value`. The VM must match all of them. */
  tag: z
    .array(text(320))
    .max(10)
    .optional()
    .describe(
      '`key`: the VM has the tag, with any value. `key=value`: the VM has the tag with this value. The value begins after ' +
        'the first `=`. With several parameters (`tag=env=prod&tag=team`), the VM must match all.',
    ),
  zone: text(63).optional(),
  hostId: HostId.optional(),
  image: text(63).optional(),
  /** Exactly this name. */
  name: text(63).optional(),
  namePrefix: text(63).optional(),
  /** Includes deleted VMs, and changes that were committed late: see `changed-since.ts` of the orchestrator. */
  updatedSince: Timestamp.optional(),
  sort: z.enum(['createdAt', '-createdAt', 'name', '-name', 'updatedAt', '-updatedAt']).default('-createdAt'),
});
export type VmListQuery = z.infer<typeof VmListQuery>;

/** The last placement decision of a VM: the rejections of each filter, and the scores of the remaining hosts. */
export const Placement = z.object({
  vmId: VmId,
  hostId: HostId.nullable(),
  decidedAt: Timestamp,
  candidates: z.number().int(),
  rejections: z.array(z.object({ filter: Term, hosts: z.number().int(), example: Detail })).max(30),
  scores: z.array(z.object({ hostId: HostId, score: z.number() })).max(100),
  summary: z.string().max(2_000),
});
export type Placement = z.infer<typeof Placement>;

export const ActionOptions = z.strictObject({
  /** Seconds that a graceful stop or reboot waits for the guest before it forces it. */
  graceSeconds: z.number().int().min(0).max(120).default(30),
});
export type ActionOptions = z.infer<typeof ActionOptions>;

/** The result of an action: the VM and its job. `job` is null when the intent was already true. */
export const ActionResult = z.object({ vm: Vm, job: Job.nullable() });
export type ActionResult = z.infer<typeof ActionResult>;

const one = z.object({ id: VmId });
const version = z.number().int();
/** The version that a change expects, or several allowed versions. */
export const IfMatch = z.union([version, z.array(version).max(100)]);
export type IfMatch = z.infer<typeof IfMatch>;

/** Whether `ifMatch` allows a change of this version. Undefined allows any. */
export function isExpected(ifMatch: IfMatch | undefined, present: number): boolean {
  return ifMatch === undefined || [ifMatch].flat().includes(present);
}

const expected = { ifMatch: IfMatch.optional() };

/** The end of a serial console's output. `truncated`: earlier output was cut off. */
export const ConsoleLog = z.object({
  vmId: VmId,
  text: z
    .string()
    .max(262_144)
    .refine((text) => jsonBytes(text) <= CONSOLE_BYTES),
  truncated: z.boolean(),
});

export const vmsRpc = {
  create: defineRpc('rpc.orchestrator.vms.create', CreateVm, Vm, 'bounded'),
  list: defineRpc('rpc.orchestrator.vms.list', VmListQuery, VmPage, 'paged'),
  /** With `tombstone` the reply may be a deleted VM, as long as its row is kept. */
  get: defineRpc(
    'rpc.orchestrator.vms.get',
    one.extend({ tombstone: z.boolean().optional() }),
    Vm,
    'bounded',
  ),
  patch: defineRpc(
    'rpc.orchestrator.vms.patch',
    z.object({ id: VmId, patch: VmPatch, ...expected }),
    Vm,
    'bounded',
  ),
  act: defineRpc(
    'rpc.orchestrator.vms.act',
    z.object({ id: VmId, action: VmActionName, options: ActionOptions, ...expected }),
    ActionResult,
    'bounded',
  ),
  placement: defineRpc('rpc.orchestrator.vms.placement', one, Placement, 'bounded'),
  consoleLog: defineRpc(
    'rpc.orchestrator.vms.console-log',
    z.object({ id: VmId, maxBytes: z.number().int().min(1).max(262_144).default(65_536) }),
    ConsoleLog,
    'bounded',
  ),
  /** The tenant and host of VMs, for ingest that receives points before the VM's event. For services only. */
  locate: defineRpc(
    'rpc.orchestrator.vms.locate',
    z.object({ ids: z.array(VmId).min(1).max(1_000) }),
    z
      .array(
        z.object({
          id: VmId,
          tenantId: TenantId,
          hostId: HostId.nullable(),
          deleted: z.boolean(),
          /** Milliseconds since 1970. Null for a live VM. The previous version of the orchestrator does not send it. */
          deletedAt: z.number().int().nullable().optional(),
        }),
      )
      .max(1_000),
    'bounded',
  ),
};
