import type { NatsConnection } from '@nats-io/transport-node';
import {
  agentSubjects,
  Command,
  hostSubjects,
  type CommandReply,
  type PowerState,
} from '@novacron/contracts/agents';
import { newId, type HostId, type VmId } from '@novacron/contracts/ids';
import { connectNats } from '@novacron/messaging/connect';
import { requestDirect } from '@novacron/messaging/direct';
import type { TestServers } from '@novacron/testkit/servers';
import { z } from 'zod';
import { silent } from './silent-logger.js';

type Answer = CommandReply | 'silence';
/** Answers a command in place of the host: fails, delays or falsifies it. Undefined: the host obeys. */
export type Interference = (
  command: Command,
  host: FakeHost,
) => Answer | undefined | Promise<Answer | undefined>;

/**
 * A host at the other end of a real NATS: it obeys at once, in memory, and can be made to misbehave. The agent has a
 * suite of its own; these tests are about the orchestrator's side.
 */
export class FakeHost {
  readonly power = new Map<VmId, PowerState>();
  readonly commands: Command[] = [];
  readonly #remembered = new Map<string, CommandReply>();
  interfere: Interference = () => undefined;
  /** Whether a guest powers off when its power button is pressed. */
  obeysShutdown = true;
  #seq = 0;

  private constructor(
    readonly id: HostId,
    readonly nc: NatsConnection,
  ) {}

  static async start(servers: TestServers, id: HostId = newId<HostId>()): Promise<FakeHost> {
    const user = await servers.addHost(id);
    const nc = await connectNats({
      url: servers.natsLogin(user.natsUser).url,
      user: user.natsUser,
      password: user.natsPassword,
      name: `host ${id}`,
      logger: silent,
    });
    const host = new FakeHost(id, nc);
    nc.subscribe(agentSubjects.command(id), { callback: (_, message) => void host.#answer(message) });
    await nc.flush();
    return host;
  }

  of(vmId: VmId): Command['kind'][] {
    return this.commands.filter((c) => c.vmId === vmId).map((c) => c.kind);
  }

  /** Sends a message to the orchestrators, as the host's agent does. */
  send(what: 'heartbeat' | 'report' | 'inventory', body: object): Promise<unknown> {
    const subject = hostSubjects[what](this.id);
    return requestDirect(this.nc, { subject, label: what, body, reply: z.unknown(), timeoutMs: 30_000 });
  }

  stop(): Promise<void> {
    return this.nc.close();
  }

  async #answer(message: { json(): unknown; respond(data: string): boolean }): Promise<void> {
    const command = Command.parse(message.json());
    this.commands.push(command);
    const answer = (await this.interfere(command, this)) ?? this.obey(command);
    if (answer !== 'silence') message.respond(JSON.stringify({ ok: true, body: answer }));
  }

  /** Obeys the command; the same id gets the same answer. */
  obey(command: Command): CommandReply {
    const known = this.#remembered.get(command.commandId);
    if (known) return known;
    const { vmId } = command;
    const after: Partial<Record<Command['kind'], PowerState>> = {
      create: 'stopped',
      start: 'running',
      'force-stop': 'stopped',
      reboot: 'running',
      reset: 'running',
      pause: 'paused',
      resume: 'running',
      delete: 'absent',
      ...(this.obeysShutdown ? { shutdown: 'stopped' } : {}),
    };
    const power = after[command.kind] ?? this.power.get(vmId) ?? 'absent';
    this.power.set(vmId, power);
    const fact = { vmId, power, incarnation: 1, reason: null };
    const reply: CommandReply = { outcome: 'done', epoch: command.epoch, seq: ++this.#seq, fact };
    this.#remembered.set(command.commandId, reply);
    return reply;
  }

  fail(command: Command, retryable = false): CommandReply {
    return {
      outcome: 'failed',
      epoch: command.epoch,
      seq: ++this.#seq,
      code: 'driver_error',
      detail: 'ordered to fail',
      retryable,
    };
  }
}
