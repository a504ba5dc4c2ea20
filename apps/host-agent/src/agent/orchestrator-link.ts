import type { NatsConnection } from '@nats-io/transport-node';
import {
  Accepted,
  agentSubjects,
  Command,
  type Heartbeat,
  HeartbeatReply,
  hostSubjects,
  Registered,
  type CommandReply,
  type RegisterHost,
  type VmFact,
} from '@novacron/contracts/agents';
import type { HostId } from '@novacron/contracts/ids';
import { subjectPattern } from '@novacron/contracts/subject';
import { requestDirect, serveDirect } from '@novacron/messaging/direct';
import type { RequestDispatcher } from '@novacron/messaging/request-dispatcher';
import { z } from 'zod';
import type { Stamp } from './stamps.js';

const TIMEOUT_MS = 5_000;
/** Facts per message: about half of the server's default limit of one megabyte. */
const FACTS_PER_PART = 3_000;

/** The messages between one host and the orchestrator. */
export class OrchestratorLink {
  constructor(
    private readonly nc: NatsConnection,
    private readonly hostId: HostId,
  ) {}

  register(body: RegisterHost): Promise<Registered> {
    return this.#ask('register', body, Registered);
  }

  /** Undefined conditions or resources keep their last value. */
  heartbeat(said: z.input<typeof Heartbeat>, timeoutMs: number) {
    return this.#ask('heartbeat', said, HeartbeatReply, timeoutMs);
  }

  report(stamp: Stamp, facts: readonly VmFact[]) {
    return this.#ask('report', { ...stamp, facts }, Accepted);
  }

  /** Sends the facts of all VMs in several messages with the same stamp. */
  async inventory(stamp: Stamp, facts: readonly VmFact[]) {
    const parts = Math.max(1, Math.ceil(facts.length / FACTS_PER_PART));
    let needed: z.infer<typeof Accepted>['needed'] = 'nothing';
    for (let part = 0; part < parts && needed === 'nothing'; part++) {
      const slice = facts.slice(part * FACTS_PER_PART, (part + 1) * FACTS_PER_PART);
      ({ needed } = await this.#ask('inventory', { ...stamp, part, parts, facts: slice }, Accepted));
    }
    return { needed };
  }

  /** Wakes the job that waits for the command. If the message is lost, the job repeats the command. */
  commandEnded(commandId: string, reply: CommandReply): void {
    this.nc.publish(hostSubjects.commandEnded(this.hostId), JSON.stringify({ commandId, reply }));
  }

  serve(
    requests: RequestDispatcher,
    onCommand: (command: Command) => Promise<CommandReply>,
    onInventoryWanted: () => void,
  ): void {
    serveDirect(this.nc, requests, {
      subject: agentSubjects.command(this.hostId),
      label: 'agents.*.command',
      body: Command,
      handle: onCommand,
    });
    serveDirect(this.nc, requests, {
      subject: agentSubjects.inventory(this.hostId),
      label: 'agents.*.inventory',
      body: z.unknown(),
      // The inventory follows on the host's own subject, so that it may use several messages.
      handle: async () => {
        onInventoryWanted();
        return { needed: 'nothing' } satisfies z.infer<typeof Accepted>;
      },
    });
  }

  #ask<Reply extends z.ZodType>(
    what: 'register' | 'heartbeat' | 'report' | 'inventory',
    body: unknown,
    reply: Reply,
    timeoutMs = TIMEOUT_MS,
  ): Promise<z.infer<Reply>> {
    const subject = hostSubjects[what](this.hostId);
    const label = subjectPattern('hosts', '*', what);
    return requestDirect(this.nc, { subject, label, body, reply, timeoutMs });
  }
}
