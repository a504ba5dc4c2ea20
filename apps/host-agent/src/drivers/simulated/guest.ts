import type { PowerState, VmFact } from '@novacron/contracts/agents';
import type { VmId } from '@novacron/contracts/ids';
import type { VmConfig } from '@novacron/contracts/vms';

/** A simulated guest, as its host's file holds it. Times are milliseconds since 1970. */
export interface Guest {
  readonly vmId: VmId;
  readonly name: string;
  readonly config: VmConfig;
  readonly power: Exclude<PowerState, 'absent'>;
  readonly incarnation: number;
  readonly reason: string | null;
  /** When this incarnation started; counters count from here. */
  readonly bootedAt: number;
  /** The power button was pressed and the guest goes down at this time. */
  readonly offAt: number | null;
  /** What happened, newest last; the console is written from it. */
  readonly events: readonly GuestEvent[];
}

export interface GuestEvent {
  readonly at: number;
  readonly what: 'boot' | 'reboot' | 'reset' | 'button' | 'ignored' | 'off' | 'killed';
}

/** A bounded console: what happened longer ago has scrolled away. */
const KEPT_EVENTS = 16;

export function withEvent(guest: Guest, at: number, what: GuestEvent['what']): readonly GuestEvent[] {
  return [...guest.events, { at, what }].slice(-KEPT_EVENTS);
}

export function factOf({ vmId, power, incarnation, reason }: Guest): VmFact {
  return { vmId, power, incarnation, reason };
}

/** What the guest's serial console has printed. */
export function consoleOf(guest: Guest): string {
  return guest.events.flatMap((event) => consoleLines(guest, event)).join('');
}

function consoleLines({ name, config, vmId }: Guest, { at, what }: GuestEvent): string[] {
  const stamp = new Date(at).toISOString();
  switch (what) {
    case 'boot':
    case 'reboot':
    case 'reset':
      return [
        `[    0.000000] Linux version 6.1.0-simulated (${config.image}) ${stamp}\n`,
        `[    0.004000] Memory: ${config.memory * 1024}K available, ${config.cpu} CPUs\n`,
        `[    0.310000] ${name} login: guest ${vmId} is up\n`,
        'NOVACRON-GUEST-UP\n',
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
