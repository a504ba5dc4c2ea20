import { Injectable } from '@nestjs/common';
import { CommandEnded, Heartbeat, HostReport, Inventory, RegisterHost } from '@novacron/contracts/agents';
import type { JobId } from '@novacron/contracts/ids';
import { Heartbeats } from '../hosts/heartbeats.js';
import { Registration } from '../hosts/registration.js';
import { Inventories } from '../resync/inventories.js';
import { Reports } from '../resync/reports.js';
import { WaitingJobs } from '../resync/waiting-jobs.js';
import { HostRequests } from './host-requests.js';

/** Serves hosts: `hosts.<id>.register|heartbeat|report|inventory|ended`. */
@Injectable()
export class HostController {
  constructor(
    private readonly requests: HostRequests,
    private readonly registration: Registration,
    private readonly heartbeats: Heartbeats,
    private readonly reports: Reports,
    private readonly inventories: Inventories,
    private readonly waitingJobs: WaitingJobs,
  ) {}

  start(): void {
    this.requests.serve('register', RegisterHost, (host, said) => this.registration.register(host, said));
    this.requests.serve('heartbeat', Heartbeat, async (host, said) => ({
      needed: await this.heartbeats.receive(host, said.epoch, said),
    }));
    this.requests.serve('report', HostReport, (host, report) => this.reports.apply(host, report));
    this.requests.serve('inventory', Inventory, (host, part) => this.inventories.apply(host, part));
    this.requests.serve('ended', CommandEnded, async (_host, { commandId }) => {
      await this.#ended(commandId);
      return { needed: 'nothing' };
    });
  }

  stop(): Promise<void> {
    return this.requests.drain();
  }

  /** A command that the host accepted earlier has ended: its job, which the id `<job>:<step>` names, need not wait. */
  async #ended(commandId: string): Promise<void> {
    await this.waitingJobs.wake([commandId.split(':', 1)[0] as JobId]);
  }
}
