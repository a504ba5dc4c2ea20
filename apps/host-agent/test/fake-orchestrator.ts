import type { NatsConnection } from '@nats-io/transport-node';
import {
  CommandEnded,
  CommandReply,
  Heartbeat,
  HostReport,
  Inventory,
  RegisterHost,
  type Command,
} from '@novacron/contracts/agents';
import { newId, type HostId, type VmId } from '@novacron/contracts/ids';
import { requestDirect, serveDirect } from '@novacron/messaging/direct';
import { RequestDispatcher } from '@novacron/messaging/request-dispatcher';
import { createLogger } from '@novacron/telemetry/logger';
import type { z } from 'zod';
import type { CommandBody, CommandHeader } from './driver-contract/agent-harness.js';

/** The orchestrator's side on a real server: issues epochs, records the hosts' messages, sends commands. */
export class FakeOrchestrator {
  readonly epochs = new Map<string, number>();
  readonly registered: { hostId: string; body: RegisterHost }[] = [];
  readonly heartbeats: { hostId: string; body: z.infer<typeof Heartbeat> }[] = [];
  readonly reports: { hostId: string; body: HostReport }[] = [];
  readonly inventories: { hostId: string; body: Inventory }[] = [];
  readonly ended: z.infer<typeof CommandEnded>[] = [];
  /** The answer to the next heartbeat. */
  needed: 'nothing' | 'register' | 'inventory' = 'nothing';

  constructor(
    private readonly nc: NatsConnection,
    private readonly heartbeatMs = 100,
  ) {
    const requests = new RequestDispatcher({
      maxInFlight: 1_000,
      logger: createLogger('fake-orchestrator', 'warn'),
    });
    serveDirect(nc, requests, {
      subject: 'hosts.*.register',
      body: RegisterHost,
      handle: async (reported, [, hostId = '']) => {
        this.registered.push({ hostId, body: reported });
        const epoch = (this.epochs.get(hostId) ?? 0) + 1;
        this.epochs.set(hostId, epoch);
        return { epoch, generation: 1, heartbeatMs: this.heartbeatMs };
      },
    });
    serveDirect(nc, requests, {
      subject: 'hosts.*.heartbeat',
      body: Heartbeat,
      handle: async (reported, [, hostId = '']) => {
        this.heartbeats.push({ hostId, body: reported });
        const { needed } = this;
        this.needed = 'nothing';
        return { needed };
      },
    });
    this.#keep(requests, 'report', HostReport, this.reports);
    this.#keep(requests, 'inventory', Inventory, this.inventories);
    nc.subscribe('hosts.*.ended', {
      callback: (_, message) => void this.ended.push(CommandEnded.parse(message.json())),
    });
  }

  command(hostId: HostId, vmId: VmId, body: CommandBody, header: CommandHeader = {}): Promise<CommandReply> {
    const { commandId = newId(), fence = 1, epoch = this.epochs.get(hostId) ?? 0 } = header;
    const command = { ...body, vmId, commandId, epoch, generation: 1, fence } as Command;
    const subject = `agents.${hostId}.command`;
    return requestDirect(this.nc, {
      subject,
      label: subject,
      body: command,
      reply: CommandReply,
      timeoutMs: 30_000,
    });
  }

  #keep<T extends z.ZodType>(
    requests: RequestDispatcher,
    what: string,
    body: T,
    kept: { hostId: string; body: z.infer<T> }[],
  ) {
    serveDirect(this.nc, requests, {
      subject: `hosts.*.${what}`,
      body,
      handle: async (reported, [, hostId = '']) => {
        kept.push({ hostId, body: reported });
        return { needed: 'nothing' };
      },
    });
  }
}
