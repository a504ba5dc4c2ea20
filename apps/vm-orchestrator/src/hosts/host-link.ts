import type { NatsConnection } from '@nats-io/transport-node';
import { agentSubjects, CommandReply, type Command } from '@novacron/contracts/agents';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import { requestDirect } from '@novacron/messaging/direct';
import type { Logger } from '@novacron/telemetry/logger';
import { z } from 'zod';
import type { HostAnswer } from '../jobs/commands.js';

/** The way to the agents: one request, one answer, in bounded time, never tried a second time. */
export class HostLink {
  constructor(
    private readonly nc: NatsConnection,
    private readonly log: Logger,
  ) {}

  /**
   * Sends a command to the host's agent. `unreachable`: there was no answer that could be understood; the
   * command may have had its effect all the same, so it is repeated under the same command id.
   */
  async command(hostId: HostId, command: Command, timeoutMs: number): Promise<HostAnswer> {
    try {
      return await requestDirect(this.nc, {
        subject: agentSubjects.command(hostId),
        label: 'agents.*.command',
        body: command,
        reply: CommandReply,
        timeoutMs,
      });
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (error.code === 'invalid_request') {
        this.log.error(
          { err: error, hostId, commandId: command.commandId, errors: error.errors },
          'a host did not understand, or was not understood',
        );
      }
      return { outcome: 'unreachable', detail: error.detail };
    }
  }

  /** Asks the agent to send its inventory; false when it could not be asked. */
  async askForInventory(hostId: HostId, timeoutMs = 5_000): Promise<boolean> {
    const subject = agentSubjects.inventory(hostId);
    try {
      await requestDirect(this.nc, {
        subject,
        label: 'agents.*.inventory',
        body: {},
        reply: z.unknown(),
        timeoutMs,
      });
      return true;
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      this.log.debug({ err: error, hostId }, 'the host could not be asked for its inventory');
      return false;
    }
  }
}
