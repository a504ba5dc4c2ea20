import { Injectable } from '@nestjs/common';
import { ServiceConfig } from '@novacron/service-kit/inject';
import type { Command } from '@novacron/contracts/agents';
import type { OrchestratorConfig } from '../config.js';
import { HostLink } from '../hosts/host-link.js';
import { HostSnapshot } from '../hosts/snapshot.js';
import type { CommandBody, HostAnswer } from '../hosts/commands.js';
import type { LeasedJob } from './operation.js';

/** Queries: each has an id of its own, because a remembered answer would be out of date. */
const QUERIES: ReadonlySet<Command['kind']> = new Set(['observe', 'console-log']);

/** Sends what steps ask for: under the id `<job>:<step>`, with the fence of the lease and the host's epoch. */
@Injectable()
export class HostCommands {
  constructor(
    private readonly link: HostLink,
    private readonly hosts: HostSnapshot,
    @ServiceConfig() private readonly config: Pick<OrchestratorConfig, 'jobs'>,
  ) {}

  async send({ vm, job }: LeasedJob, body: CommandBody): Promise<HostAnswer> {
    if (vm.host_id === null) return { outcome: 'unreachable', detail: 'the VM has no host' };
    const host = this.hosts.host(vm.host_id);
    if (!host) return { outcome: 'unreachable', detail: 'the host is not registered' };
    const id = `${job.id}:${job.undoing ? 'undo-' : ''}${job.step}`;
    const command = {
      ...body,
      commandId: QUERIES.has(body.kind) ? `${id}:${job.fence}.${job.attempt}` : id,
      vmId: vm.id,
      epoch: host.epoch,
      generation: this.hosts.generation,
      fence: job.fence,
    } as Command;
    const answer = await this.link.command(vm.host_id, command, this.config.jobs.commandTimeoutMs);
    // In most cases the host has registered again: the next attempt needs its new epoch.
    if (answer.outcome === 'fenced') await this.hosts.refresh();
    return answer;
  }
}
