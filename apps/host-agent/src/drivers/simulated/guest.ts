import type { GuestSpec, PowerState, VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { VmConfig } from '@novacron/contracts/vms';
import { createHash } from 'node:crypto';

/** A simulated guest, as it is stored in its host's file. Times are milliseconds since 1970. */
export interface Guest {
  readonly vmId: VmId;
  readonly name: string;
  readonly config: VmConfig;
  readonly power: Exclude<PowerState, 'absent'>;
  readonly incarnation: number;
  readonly reason: string | null;
  /** When this incarnation started; counters count from here. */
  readonly bootedAt: number;
  /** When the guest reports that it is up; null: never. Missing in old records, whose guests are up. */
  readonly upAt?: number | null;
  /** The cloud-init data of the creation, which the guest has applied. */
  readonly cloudInit?: CloudInit | null;
  /** The power button was pressed, and the guest ends at this time. */
  readonly offAt: number | null;
  /** The guest's events, newest last; the console is made of them. */
  readonly events: readonly GuestEvent[];
}

/** User data and keys by their digests, enough to verify what was applied. */
export interface CloudInit {
  readonly userData: { readonly bytes: number; readonly sha256: string } | null;
  /** `SHA256:…`, as ssh-keygen shows them. */
  readonly keys: readonly string[];
}

/** @returns null when there is nothing to apply */
export function cloudInitOf({
  userData,
  sshKeys,
}: Pick<GuestSpec, 'userData' | 'sshKeys'>): CloudInit | null {
  if (userData === null && sshKeys.length === 0) return null;
  const digest = (data: string | Buffer) => createHash('sha256').update(data);
  return {
    userData:
      userData === null
        ? null
        : { bytes: Buffer.byteLength(userData), sha256: digest(userData).digest('hex') },
    keys: sshKeys.map((key) => {
      const blob = Buffer.from(key.trim().split(/\s+/)[1] ?? key, 'base64');
      return `SHA256:${digest(blob).digest('base64').replace(/=+$/, '')}`;
    }),
  };
}

export interface GuestEvent {
  readonly at: number;
  readonly what: 'boot' | 'reboot' | 'reset' | 'button' | 'ignored' | 'off' | 'killed';
}

/** The console is bounded: older events are dropped. */
const KEPT_EVENTS = 16;

export function withEvent(guest: Guest, at: number, what: GuestEvent['what']): readonly GuestEvent[] {
  return [...guest.events, { at, what }].slice(-KEPT_EVENTS);
}

export function factOf({ vmId, power, incarnation, reason, upAt = 0 }: Guest, now: number): VmFact {
  const fact = { vmId, power, incarnation, reason };
  return power === 'stopped' ? fact : { ...fact, ready: upAt !== null && now >= upAt };
}

/** The output of the guest's serial console. */
export function consoleOf(guest: Guest, now: number): string {
  return guest.events.flatMap((event) => consoleLines(guest, event, now)).join('');
}

function consoleLines(guest: Guest, { at, what }: GuestEvent, now: number): string[] {
  const { name, config, vmId, bootedAt, upAt = 0 } = guest;
  const stamp = new Date(at).toISOString();
  switch (what) {
    case 'boot':
    case 'reboot':
    case 'reset':
      return [
        `[    0.000000] Linux version 6.1.0-simulated (${config.image}) ${stamp}\n`,
        `[    0.004000] Memory: ${config.memory * 1024}K available, ${config.cpu} CPUs\n`,
        `[    0.310000] ${name} login: guest ${vmId} is up\n`,
        ...cloudInitLines(guest),
        ...(at < bootedAt || (upAt !== null && now >= upAt) ? ['NOVACRON-GUEST-UP\n'] : []),
      ];
    case 'button':
      return [`[${stamp}] acpid: power button pressed, powering off\n`];
    case 'ignored':
      return [`[${stamp}] acpid: power button ignored\n`];
    case 'off':
      return [`[${stamp}] reboot: Power down\n`];
    case 'killed':
      return [];
    default:
      return what satisfies never;
  }
}

function cloudInitLines({ cloudInit }: Guest): string[] {
  if (!cloudInit) return [];
  const { userData, keys } = cloudInit;
  return [
    ...(userData
      ? [`cloud-init: applied ${userData.bytes} bytes of user data, sha256 ${userData.sha256}\n`]
      : []),
    ...keys.map((key) => `cloud-init: authorized key ${key}\n`),
  ];
}
