import type { NatsConnection } from '@nats-io/transport-node';
import {
  CommandEnded,
  Heartbeat,
  HostReport,
  Inventory,
  RegisterHost,
  type CommandReply,
} from '@novacron/contracts/agents';
import { ServiceError } from '@novacron/contracts/errors';
import { HostId } from '@novacron/contracts/ids';
import { subjectPattern } from '@novacron/contracts/subject';
import { serveDirect } from '@novacron/messaging/direct';
import { RequestDispatcher } from '@novacron/messaging/request-dispatcher';
import type { Logger } from '@novacron/telemetry/logger';
import type { z } from 'zod';
import type { Inventories } from '../resync/inventories.js';
import type { Reports } from '../resync/reports.js';
import type { Heartbeats } from '../hosts/heartbeats.js';
import type { Registration } from '../hosts/registration.js';

/** A command that a host accepted earlier has ended. The host is who it says: it comes from the subject. */
export type OnEnded = (hostId: HostId, commandId: string, reply: CommandReply) => Promise<void>;

const QUEUE = 'orchestrator';
/** Each holds a connection to Postgres for a moment; a host that is refused tries again. */
const MAX_IN_FLIGHT = 128;

/** Serves what hosts say: `hosts.<id>.register|heartbeat|report|inventory|ended`. */
export class HostIntake {
  readonly #requests: RequestDispatcher;

  constructor(
    private readonly nc: NatsConnection,
    private readonly registration: Registration,
    private readonly heartbeats: Heartbeats,
    private readonly facts: { readonly reports: Reports; readonly inventories: Inventories },
    private readonly onEnded: OnEnded,
    private readonly log: Logger,
  ) {
    this.#requests = new RequestDispatcher({ maxInFlight: MAX_IN_FLIGHT, logger: log });
  }

  start(): void {
    this.#serve('register', RegisterHost, (host, said) => this.registration.register(host, said));
    this.#serve('heartbeat', Heartbeat, async (host, said) => ({
      needed: await this.heartbeats.beat(host, said.epoch, said),
    }));
    this.#serve('report', HostReport, (host, said) => this.facts.reports.apply(host, said));
    this.#serve('inventory', Inventory, (host, said) => this.facts.inventories.apply(host, said));
    this.#serve('ended', CommandEnded, async (host, { commandId, reply }) => {
      await this.onEnded(host, commandId, reply);
      return { needed: 'nothing' };
    });
  }

  /** Hears nothing new; resolves when what was heard is done. */
  stop(): Promise<void> {
    return this.#requests.drain();
  }

  #serve<Body extends z.ZodType>(
    what: string,
    body: Body,
    handle: (host: HostId, said: z.infer<Body>) => Promise<unknown>,
  ): void {
    serveDirect(this.nc, this.#requests, {
      subject: subjectPattern('hosts', '*', what),
      queue: QUEUE,
      body,
      handle: (said, tokens) => handle(this.#hostId(tokens[1]), said),
    });
  }

  #hostId(token: string | undefined): HostId {
    const parsed = HostId.safeParse(token);
    if (parsed.success) return parsed.data;
    this.log.warn({ token }, 'a message came from a subject that names no host');
    throw new ServiceError('invalid_request', 'The subject names no host');
  }
}
