import type { NatsConnection } from '@nats-io/transport-node';
import {
  Accepted,
  agentSubjects,
  Command,
  HeartbeatReply,
  hostSubjects,
  Registered,
  type CommandReply,
  type PowerState,
  type RegisterHost,
  type VmFact,
} from '@novacron/contracts/agents';
import type { HostId, VmId } from '@novacron/contracts/ids';
import type { ReportedCondition } from '@novacron/contracts/infrastructure';
import { requestDirect, serveDirect } from '@novacron/messaging/direct';
import { RequestDispatcher } from '@novacron/messaging/request-dispatcher';
import { createLogger } from '@novacron/telemetry/logger';
import { z } from 'zod';

/** A minimal agent: guests in a map, a function for commands, messages on demand. */
export class FakeAgent {
  readonly guests = new Map<VmId, { power: PowerState; incarnation: number; reason: string | null }>();
  readonly commands: Command[] = [];
  inventoriesAsked = 0;
  /** The conditions of each heartbeat; undefined as of an agent without conditions. */
  conditions: ReportedCondition[] | undefined;
  /** How far its clock is ahead; undefined as of an agent that does not send its time. */
  clockAheadMs: number | undefined;
  registered: Registered = { epoch: 0, generation: 0, heartbeatMs: 0 };
  /** Answers a command; deletes succeed, everything else is unsupported. */
  onCommand: (command: Command) => CommandReply = (command) => this.#deleted(command);
  onInventoryAsked: () => Promise<unknown> = () => Promise.resolve();
  #seq = 0;
  #heartbeats: NodeJS.Timeout | undefined;
  readonly #requests = new RequestDispatcher({
    maxInFlight: 64,
    logger: createLogger('fake-agent', 'silent'),
  });

  constructor(
    readonly nc: NatsConnection,
    readonly id: HostId,
    readonly about: Partial<RegisterHost> = {},
  ) {
    serveDirect(nc, this.#requests, {
      subject: agentSubjects.command(id),
      body: Command,
      handle: async (command) => {
        if (command.epoch !== this.registered.epoch) {
          return { outcome: 'fenced', ...this.stamp(), detail: 'another epoch' } satisfies CommandReply;
        }
        this.commands.push(command);
        return this.onCommand(command);
      },
    });
    serveDirect(nc, this.#requests, {
      subject: agentSubjects.inventory(id),
      body: z.unknown(),
      handle: async () => {
        this.inventoriesAsked++;
        await this.onInventoryAsked();
        return { needed: 'nothing' };
      },
    });
  }

  stamp(): { epoch: number; seq: number } {
    return { epoch: this.registered.epoch, seq: ++this.#seq };
  }

  fact(vmId: VmId): VmFact {
    return { vmId, ...(this.guests.get(vmId) ?? { power: 'absent', incarnation: 0, reason: null }) };
  }

  async register(over: Partial<RegisterHost> = {}): Promise<Registered> {
    const body: RegisterHost = {
      name: `h-${this.id.slice(-12)}`,
      zone: 'sim',
      driver: 'tiny',
      agentVersion: '0',
      capabilities: ['pause'],
      images: ['ubuntu-22.04'],
      capacity: { cpu: 64, memory: 65_536, disk: 1_000 },
      labels: {},
      ...this.about,
      ...over,
    };
    this.registered = await this.send('register', body, Registered);
    return this.registered;
  }

  async heartbeat(epoch = this.registered.epoch): Promise<string> {
    const { conditions } = this;
    const body = {
      ...this.stamp(),
      epoch,
      guests: this.guests.size,
      ...(conditions === undefined ? {} : { conditions }),
      ...(this.clockAheadMs === undefined ? {} : { at: Date.now() + this.clockAheadMs }),
    };
    return (await this.send('heartbeat', body, HeartbeatReply)).needed;
  }

  /** Sends heartbeats until `stopHeartbeats()`, more often than it must: the machine may stall. */
  startHeartbeats(): void {
    this.#heartbeats ??= setInterval(
      () => void this.heartbeat().catch(() => undefined),
      this.registered.heartbeatMs / 4,
    );
  }

  stopHeartbeats(): void {
    clearInterval(this.#heartbeats);
    this.#heartbeats = undefined;
  }

  report(vmIds: VmId[], stamp = this.stamp()): Promise<unknown> {
    return this.send('report', { ...stamp, facts: vmIds.map((id) => this.fact(id)) }, Accepted);
  }

  /** Sends the complete inventory, in parts of `perPart` guests. */
  async inventory(stamp = this.stamp(), perPart = 5_000): Promise<void> {
    const facts = [...this.guests.keys()].map((id) => this.fact(id));
    const parts = Math.max(1, Math.ceil(facts.length / perPart));
    for (let part = 0; part < parts; part++) {
      const slice = facts.slice(part * perPart, (part + 1) * perPart);
      await this.send('inventory', { ...stamp, part, parts, facts: slice }, Accepted);
    }
  }

  send<Reply extends z.ZodType>(
    what: 'register' | 'heartbeat' | 'report' | 'inventory' | 'commandEnded',
    body: unknown,
    reply: Reply,
  ): Promise<z.infer<Reply>> {
    const subject = hostSubjects[what](this.id);
    return requestDirect(this.nc, { subject, label: what, body, reply, timeoutMs: 30_000 });
  }

  async stop(): Promise<void> {
    this.stopHeartbeats();
    await this.#requests.drain();
    await this.nc.close();
  }

  #deleted(command: Command): CommandReply {
    if (command.kind !== 'delete') {
      return { outcome: 'failed', ...this.stamp(), code: 'unsupported', detail: 'tiny', retryable: false };
    }
    this.guests.delete(command.vmId);
    return { outcome: 'done', ...this.stamp(), fact: this.fact(command.vmId) };
  }
}
