import type { Command } from '@novacron/contracts/agents';
import type { HostId } from '@novacron/contracts/ids';
import type { HostSnapshot } from '../hosts/snapshot.js';
import type { CommandBody, HostAnswer } from '../hosts/commands.js';
import type { Claim } from './operation.js';

/** The way to a host's agent. */
export interface CommandLink {
  command(hostId: HostId, command: Command, timeoutMs: number): Promise<HostAnswer>;
}

/** Questions: their answers are of the moment, so each has an id of its own. */
const QUESTIONS: ReadonlySet<Command['kind']> = new Set(['observe', 'console-log']);

/** Sends what steps ask for: under the id `<job>:<step>`, with the fence of the claim and the host's epoch. */
export class HostCommands {
  constructor(
    private readonly link: CommandLink,
    private readonly hosts: Pick<HostSnapshot, 'host' | 'generation' | 'refresh'>,
    private readonly timeoutMs: number,
  ) {}

  async send({ vm, job }: Claim, body: CommandBody): Promise<HostAnswer> {
    if (vm.host_id === null) return { outcome: 'unreachable', detail: 'the VM has no host' };
    const host = this.hosts.host(vm.host_id);
    if (!host) return { outcome: 'unreachable', detail: 'the host is not registered' };
    const id = `${job.id}:${job.undoing ? 'undo-' : ''}${job.step}`;
    const command = {
      ...body,
      commandId: QUESTIONS.has(body.kind) ? `${id}:${job.fence}.${job.attempt}` : id,
      vmId: vm.id,
      epoch: host.epoch,
      generation: this.hosts.generation,
      fence: job.fence,
    } as Command;
    const answer = await this.link.command(vm.host_id, command, this.timeoutMs);
    // Most often the host has registered again since: the next try needs its new epoch.
    if (answer.outcome === 'fenced') await this.hosts.refresh();
    return answer;
  }
}
