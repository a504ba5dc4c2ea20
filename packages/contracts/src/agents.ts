import { z } from 'zod';
import { ImageName, Name, Term, ZoneName } from './common.js';
import { type HostId, VmId } from './ids.js';
import { Capacity, HostCapabilities, HostLabels, Overcommit, ReportedCondition } from './infrastructure.js';
import { subjectOf } from './subject.js';
import { VmConfig } from './vms.js';

/*
 * What a host's agent and the orchestrator say to each other. A host's id is read off the subject that it
 * may publish on, never off a body.
 */

/** Numbers of one epoch come from one sequence, drawn before the observation that they stamp. */
const stamped = { epoch: z.number().int().positive(), seq: z.number().int().positive() };

export const RegisterHost = z.object({
  name: Name,
  zone: ZoneName,
  driver: z.string().min(1).max(40),
  agentVersion: z.string().max(40),
  capabilities: HostCapabilities,
  images: z.array(ImageName).max(1_000),
  /** What may be promised to VMs; for an orchestrator that does not know `physical` yet. */
  capacity: Capacity,
  physical: Capacity.optional(),
  overcommit: Overcommit.optional(),
  /** Approves the host, once: see `POST /hosts/invites`. */
  joinToken: z.string().max(100).optional(),
  labels: HostLabels,
});
export type RegisterHost = z.infer<typeof RegisterHost>;

/** `epoch` grows with every registration; commands and facts of another epoch are refused. */
export const Registered = z.object({
  epoch: z.number().int().positive(),
  generation: z.number().int().positive(),
  heartbeatMs: z.number().int().positive(),
});
export type Registered = z.infer<typeof Registered>;

/**
 * `conditions` lists the agent's own conditions that hold now; a type that is missing does not hold. An agent that
 * sends no list leaves its conditions as they are.
 */
export const Heartbeat = z.object({
  ...stamped,
  guests: z.number().int().nonnegative(),
  conditions: z.array(ReportedCondition).max(20).optional(),
  /** What the host has now, measured: the file system may be filled by others. */
  physical: Capacity.optional(),
  /** The host's time, milliseconds since 1970; missing from an agent of the version before. */
  at: z.number().int().optional(),
});
/** `needed: 'register'` when the orchestrator does not know this epoch (any more). */
export const HeartbeatReply = z.object({ needed: z.enum(['nothing', 'register', 'inventory']) });

export const PowerState = z.enum(['running', 'paused', 'stopped', 'absent']);
export type PowerState = z.infer<typeof PowerState>;

/** Why a hypervisor pauses a guest by itself, with the text that users read. */
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

/** What is so about one VM on this host. `absent`: neither disk nor guest. */
export const VmFact = z.object({
  vmId: VmId,
  power: PowerState,
  /** Counts the guest processes this host started for the VM. */
  incarnation: z.number().int().nonnegative(),
  /**
   * Why it stopped, where the host knows (`guest_shutdown`, `crashed`, …), or why it is paused without a command: one
   * of `GUEST_FAULTS`.
   */
  reason: Term.nullable(),
  /** Whether the guest has said that it is up, since it started; missing where the host cannot know. */
  ready: z.boolean().optional(),
  /** The host cannot read its record of the VM: `incarnation` means nothing, only force-stop and delete work. */
  damaged: z.boolean().optional(),
});
export type VmFact = z.infer<typeof VmFact>;

/** Changes that no command asked for (a guest powered itself off). */
export const HostReport = z.object({ ...stamped, facts: z.array(VmFact).max(5_000) });
export type HostReport = z.infer<typeof HostReport>;

/** Everything there is on the host. `part`/`parts` when it does not fit one message; all parts share `seq`. */
export const Inventory = z.object({
  ...stamped,
  part: z.number().int().nonnegative(),
  parts: z.number().int().positive(),
  facts: z.array(VmFact).max(5_000),
});
export type Inventory = z.infer<typeof Inventory>;
export const Accepted = z.object({ needed: z.enum(['nothing', 'register']) });

/** What a VM's disk and guest are made of. */
export const GuestSpec = z.object({
  vmId: VmId,
  name: Name,
  config: VmConfig,
  userData: z.string().nullable(),
  sshKeys: z.array(z.string()).max(50),
});
export type GuestSpec = z.infer<typeof GuestSpec>;

const base = {
  /** `<jobId>:<step>`: a success is remembered under it and answered again. */
  commandId: z.string().min(1).max(120),
  vmId: VmId,
  epoch: z.number().int().positive(),
  /** (generation, fence): the agent remembers the highest per VM and refuses lower ones. */
  generation: z.number().int().positive(),
  fence: z.number().int().positive(),
};

export const Command = z.discriminatedUnion('kind', [
  z.object({ ...base, kind: z.literal('create'), spec: GuestSpec }),
  z.object({ ...base, kind: z.literal('start'), spec: GuestSpec }),
  /** ACPI power button; succeeds once the guest was told. The orchestrator waits and forces. */
  z.object({ ...base, kind: z.literal('shutdown') }),
  z.object({ ...base, kind: z.literal('force-stop') }),
  /** Graceful: tells the guest to restart; `reset` is the hard way. */
  z.object({ ...base, kind: z.literal('reboot'), graceMs: z.number().int().nonnegative() }),
  z.object({ ...base, kind: z.literal('reset') }),
  z.object({ ...base, kind: z.literal('pause') }),
  z.object({ ...base, kind: z.literal('resume') }),
  /** Guest ended, disk removed. Succeeds when there was nothing. */
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
    /** Of a console: its end, cut to `CONSOLE_BYTES` of JSON. */
    text: z.string().optional(),
  }),
  /** Under way: ask again with the same command id; a report follows when it is done. */
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
    /** Tenants read it: it names no path, socket or process of the host. */
    detail: z.string(),
    /** Whether the same step may succeed when it is tried again. */
    retryable: z.boolean(),
    fact: VmFact.optional(),
  }),
  /** An older fence or generation, or another epoch: whoever sent it is no longer in charge. */
  z.object({ outcome: z.literal('fenced'), ...stamped, detail: z.string() }),
]);
export type CommandReply = z.infer<typeof CommandReply>;

/** A report that a command accepted earlier has ended: wakes the job that waits for it. */
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
