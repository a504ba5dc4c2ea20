import { Injectable } from '@nestjs/common';
import { Nats, ServiceLogger } from '@novacron/service-kit/inject';
import type { NatsConnection } from '@nats-io/transport-node';
import { agentSubjects, CommandReply, type Command } from '@novacron/contracts/agents';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import { requestDirect } from '@novacron/messaging/direct';
import type { Logger } from '@novacron/telemetry/logger';
import { z } from 'zod';
import type { HostAnswer } from './commands.js';
import { HostSnapshot, type KnownHost } from './snapshot.js';
import { RECONCILING } from './row.js';

/** The link to the agents: one request, one answer, in bounded time, without a second attempt. */
@Injectable()
export class HostLink {
  constructor(
    @Nats() private readonly nc: NatsConnection,
    private readonly hosts: HostSnapshot,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  /**
   * Sends a command to the host's agent. `unreachable`: there was no valid answer. The command may have had its effect
   * all the same, so it is repeated under the same command id. A fenced host receives no commands, and after its
   * uncordon none until its inventory has been applied.
   */
  async command(hostId: HostId, command: Command, timeoutMs: number): Promise<HostAnswer> {
    const refusal = refusalOf(this.hosts.host(hostId));
    if (refusal) return refusal;
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
          'host command failed: invalid request or reply',
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
      this.log.debug({ err: error, hostId }, 'inventory request failed');
      return false;
    }
  }
}

/** Why a host receives no commands; null when it does. */
function refusalOf(host: KnownHost | undefined): HostAnswer | null {
  if (host?.state === 'fenced') return { outcome: 'host_fenced', detail: 'the host is fenced' };
  if (!host?.conditions.some(({ type }) => type === RECONCILING)) return null;
  return { outcome: 'unreachable', detail: 'the host is being reconciled after a fence' };
}
