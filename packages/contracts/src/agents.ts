import { z } from 'zod';
import { ImageName, Name, Term, ZoneName } from './common.js';
import { type HostId, VmId } from './ids.js';
import { Capacity, HostCapabilities, HostLabels, Overcommit, ReportedCondition } from './infrastructure.js';
import { subjectOf } from './subject.js';
import { VmConfig } from './vms.js';

/*
 * Messages between a host's agent and the orchestrator. The receiver takes the host's id from the subject, on which
 * only that host may publish. It never takes the id from a body.
 */

/** The stamp of an observation. The agent draws `seq` before it observes. `seq` counts within an epoch. */
const stamped = { epoch: z.number().int().positive(), seq: z.number().int().positive() };

export const RegisterHost = z.object({
  name: Name,
  zone: ZoneName,
  driver: z.string().min(1).max(40),
  agentVersion: z.string().max(40),
  capabilities: HostCapabilities,
  images: z.array(ImageName).max(1_000),
  /** The capacity to allocate to VMs, for an orchestrator of a version without `physical`. */
  capacity: Capacity,
  physical: Capacity.optional(),
  overcommit: Overcommit.optional(),
  /** Approves the host once: see `POST /hosts/invites`. */
  joinToken: z.string().max(100).optional(),
  labels: HostLabels,
});
export type RegisterHost = z.infer<typeof RegisterHost>;

/** `epoch` grows with each registration. Both sides refuse commands and facts of another epoch. */
export const Registered = z.object({
  epoch: z.number().int().positive(),
  generation: z.number().int().positive(),
  heartbeatMs: z.number().int().positive(),
});
export type Registered = z.infer<typeof Registered>;

/**
 * `conditions` lists the agent's own conditions that are true now. A missing type is false. Without a list, the host's
 * conditions stay unchanged.
 */
export const Heartbeat = z.object({
  ...stamped,
  guests: z.number().int().nonnegative(),
  conditions: z.array(ReportedCondition).max(20).optional(),
  /** The measured resources of the host. Other programs may use its file system too. */
  physical: Capacity.optional(),
  /** The host's time, milliseconds since 1970. Agents of the previous version do not send it. */
  at: z.number().int().optional(),
});
/** `needed: 'register'`: the orchestrator does not know this epoch. */
export const HeartbeatReply = z.object({ needed: z.enum(['nothing', 'register', 'inventory']) });

export const PowerState = z.enum(['running', 'paused', 'stopped', 'absent']);
export type PowerState = z.infer<typeof PowerState>;

/** Reasons for which a hypervisor pauses a guest without a command, with the text for users. */
export const GUEST_FAULTS = {
  io_error: 'the guest is paused because its disk answered an I/O error',
  no_space: 'the guest is paused because its host has no disk space left',
  guest_panicked: 'the kernel of the guest has panicked: reset or force-stop the VM',
  internal_error: 'the hypervisor met an error inside the guest: reset or force-stop the VM',
  watchdog: 'the watchdog of the guest has fired: reset or force-stop the VM',
} as const;
export type GuestFault = keyof typeof GUEST_FAULTS;

export function isGuestFault(reason: string | null): reason is GuestFault {
  return reason !== null && Object.hasOwn(GUEST_FAULTS, reason);
}

/** The observed state of one VM on this host. `absent`: the host has neither disk nor guest. */
export const VmFact = z.object({
  vmId: VmId,
  power: PowerState,
  /** Counts the guest processes that this host started for the VM. */
  incarnation: z.number().int().nonnegative(),
  /**
   * Why the guest stopped (`guest_shutdown`, `crashed`, …), or why the hypervisor paused it: one of `GUEST_FAULTS`.
   * Null when the host does not know.
   */
  reason: Term.nullable(),
  /** Whether the guest has reported since its start that it is up. Missing when the host cannot know. */
  ready: z.boolean().optional(),
  /** The host cannot read its record of the VM: `incarnation` is meaningless, and only force-stop and delete work. */
  damaged: z.boolean().optional(),
});
export type VmFact = z.infer<typeof VmFact>;

/** Changes that happened without a command: for example, a guest powered itself off. */
export const HostReport = z.object({ ...stamped, facts: z.array(VmFact).max(5_000) });
export type HostReport = z.infer<typeof HostReport>;

/** All VMs on the host, in `parts` messages that share `seq`. */
export const Inventory = z.object({
  ...stamped,
  part: z.number().int().nonnegative(),
  parts: z.number().int().positive(),
  facts: z.array(VmFact).max(5_000),
});
export type Inventory = z.infer<typeof Inventory>;
export const Accepted = z.object({ needed: z.enum(['nothing', 'register']) });

/** The specification of a VM's disk and guest. */
export const GuestSpec = z.object({
  vmId: VmId,
  name: Name,
  config: VmConfig,
  userData: z.string().nullable(),
  sshKeys: z.array(z.string()).max(50),
});
export type GuestSpec = z.infer<typeof GuestSpec>;

const base = {
  /** `<jobId>:<step>`. The agent stores a success under it, and answers a repeated command from there. */
  commandId: z.string().min(1).max(120),
  vmId: VmId,
  epoch: z.number().int().positive(),
  /** The agent stores the highest (generation, fence) of each VM and refuses lower ones. */
  generation: z.number().int().positive(),
  fence: z.number().int().positive(),
};

export const Command = z.discriminatedUnion('kind', [
  z.object({ ...base, kind: z.literal('create'), spec: GuestSpec }),
  z.object({ ...base, kind: z.literal('start'), spec: GuestSpec }),
  /** Presses the ACPI power button, and succeeds at once. The orchestrator waits, then forces. */
  z.object({ ...base, kind: z.literal('shutdown') }),
  z.object({ ...base, kind: z.literal('force-stop') }),
  /** Asks the guest to restart. `reset` does not ask. */
  z.object({ ...base, kind: z.literal('reboot'), graceMs: z.number().int().nonnegative() }),
  z.object({ ...base, kind: z.literal('reset') }),
  z.object({ ...base, kind: z.literal('pause') }),
  z.object({ ...base, kind: z.literal('resume') }),
  /** Ends the guest and removes the disk. Succeeds when neither exists. */
  z.object({ ...base, kind: z.literal('delete') }),
  z.object({ ...base, kind: z.literal('observe') }),
  z.object({ ...base, kind: z.literal('console-log'), maxBytes: z.number().int().positive() }),
]);
export type Command = z.infer<typeof Command>;
export type CommandKind = Command['kind'];

export const CommandReply = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('done'),
    ...stamped,
    fact: VmFact,
    /** The end of a console log, cut to `CONSOLE_BYTES` of JSON. */
    text: z.string().optional(),
  }),
  /** The command is in progress. The orchestrator polls with the same command id, and a report follows at the end. */
  z.object({ outcome: z.literal('accepted'), ...stamped }),
  z.object({
    outcome: z.literal('failed'),
    ...stamped,
    code: z.enum([
      'driver_error',
      'no_image',
      'no_space',
      'io_error',
      'guest_panicked',
      'internal_error',
      'watchdog',
      'unsupported',
      'not_found',
      'invalid_state',
      'busy',
    ]),
    /** Tenants read it, so it must not name a path, socket or process of the host. */
    detail: z.string(),
    /** Whether a retry of the step may succeed. */
    retryable: z.boolean(),
    fact: VmFact.optional(),
  }),
  /** The command has an older fence or generation, or another epoch. Its sender has lost the lease. */
  z.object({ outcome: z.literal('fenced'), ...stamped, detail: z.string() }),
]);
export type CommandReply = z.infer<typeof CommandReply>;

/** Reports the end of an accepted command, and wakes the job that waits for it. */
export const CommandEnded = z.object({ commandId: z.string(), reply: CommandReply });

export const hostSubjects = {
  register: (host: HostId) => subjectOf('hosts', host, 'register'),
  heartbeat: (host: HostId) => subjectOf('hosts', host, 'heartbeat'),
  report: (host: HostId) => subjectOf('hosts', host, 'report'),
  inventory: (host: HostId) => subjectOf('hosts', host, 'inventory'),
  commandEnded: (host: HostId) => subjectOf('hosts', host, 'ended'),
};
export const agentSubjects = {
  command: (host: HostId) => subjectOf('agents', host, 'command'),
  inventory: (host: HostId) => subjectOf('agents', host, 'inventory'),
};
