import type { Command, CommandKind, PowerState } from '@novacron/contracts/agents';
import { CONSOLE_BYTES, jsonTail } from '@novacron/contracts/reply-size';
import type { Driver } from '../drivers/driver.js';

/** How the agent treats each kind of command. */
interface Traits {
  /** Runs before waiting commands, and aborts the one in flight: force-stop and delete always take precedence. */
  readonly urgent: boolean;
  /**
   * On a full disk a command that `needs` space is refused. A command that `waits` runs with its fence in memory until
   * there is space. A command that `frees` space writes its fence and its success into the reserve.
   */
  readonly disk: 'needs' | 'waits' | 'frees';
  /** The power states after a success. A driver that reports success in another state is not trusted. */
  readonly leads: readonly PowerState[] | undefined;
  /** Whether a success is remembered under the command's id. Reading a console again is free, and must be current. */
  readonly remembered: boolean;
}

export const TRAITS = {
  create: { urgent: false, disk: 'needs', leads: ['stopped', 'running', 'paused'], remembered: true },
  start: { urgent: false, disk: 'needs', leads: ['running'], remembered: true },
  // The guest may take long, or refuse: the orchestrator waits and then forces it.
  shutdown: { urgent: false, disk: 'waits', leads: undefined, remembered: true },
  'force-stop': { urgent: true, disk: 'frees', leads: ['stopped', 'absent'], remembered: true },
  reboot: { urgent: false, disk: 'needs', leads: ['running'], remembered: true },
  reset: { urgent: false, disk: 'needs', leads: ['running'], remembered: true },
  pause: { urgent: false, disk: 'needs', leads: ['paused'], remembered: true },
  resume: { urgent: false, disk: 'needs', leads: ['running'], remembered: true },
  delete: { urgent: true, disk: 'frees', leads: ['absent'], remembered: true },
  observe: { urgent: false, disk: 'waits', leads: undefined, remembered: false },
  'console-log': { urgent: false, disk: 'waits', leads: undefined, remembered: false },
} as const satisfies Record<CommandKind, Traits>;

/** Executes the command. @returns its text, if it asks for one */
export async function perform(
  driver: Driver,
  command: Command,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { vmId } = command;
  switch (command.kind) {
    case 'create':
      return void (await driver.create(command.spec, signal));
    case 'start':
      return void (await driver.start(command.spec, signal));
    case 'shutdown':
      return void (await driver.shutdown(vmId, signal));
    case 'force-stop':
      return void (await driver.forceStop(vmId, signal));
    case 'reboot':
      return void (await driver.reboot(vmId, command.graceMs, signal));
    case 'reset':
      return void (await driver.reset(vmId, signal));
    case 'pause':
      return void (await driver.pause(vmId, signal));
    case 'resume':
      return void (await driver.resume(vmId, signal));
    case 'delete':
      return void (await driver.delete(vmId, signal));
    case 'observe':
      return undefined;
    case 'console-log':
      return jsonTail(await driver.consoleLog(vmId, command.maxBytes), CONSOLE_BYTES);
    default:
      return command satisfies never;
  }
}
