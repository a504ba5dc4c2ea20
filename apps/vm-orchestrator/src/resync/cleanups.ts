import { Injectable } from '@nestjs/common';
import { ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Command } from '@novacron/contracts/agents';
import type { HostId, VmId } from '@novacron/contracts/ids';
import type { Database, Statement } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import type { Logger } from '@novacron/telemetry/logger';
import { setTimeout as sleep } from 'node:timers/promises';
import { HostLink } from '../hosts/host-link.js';
import { HostSnapshot } from '../hosts/snapshot.js';

const OF_HOST: Statement = {
  name: 'cleanups-of-host',
  // The VM may have a new lease since, for another host: the command carries its newest fence.
  text: `SELECT c.vm_id, greatest(c.fence, v.fence) AS fence,
      coalesce(v.host_id = c.host_id AND v.state <> 'deleted', false) AS placed_again
    FROM cleanups c LEFT JOIN vms v ON v.id = c.vm_id WHERE c.host_id = $1 ORDER BY c.created_at LIMIT 1000`,
};
const DONE: Statement = {
  name: 'cleanups-done',
  // One statement: only the transaction that removes the row releases the capacity.
  text: `WITH done AS (DELETE FROM cleanups WHERE host_id = $1 AND vm_id = $2 RETURNING host_id, cpu, memory, disk)
    UPDATE hosts h SET allocated_cpu = allocated_cpu - done.cpu, allocated_memory = allocated_memory - done.memory,
      allocated_disk = allocated_disk - done.disk, vm_count = vm_count - 1
    FROM done WHERE h.id = done.host_id`,
};

interface Cleanup {
  vm_id: VmId;
  fence: number;
  /** The VM is on this host again: there is nothing to remove, only the old allocation to release. */
  placed_again: boolean;
}

const AT_ONCE = 8;
const COMMAND_TIMEOUT_MS = 5_000;
/** How long the command is repeated after the answer `accepted`. */
const PATIENCE_MS = 60_000;
const ASK_AGAIN_MS = 500;

/** Removes VMs from a host that is back which were deleted while it was away. Then their capacity is free again. */
@Injectable()
export class Cleanups {
  readonly #running = new Map<HostId, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly link: HostLink,
    private readonly snapshot: HostSnapshot,
    @ServiceLogger() private readonly log: Logger,
  ) {}

  /** The next resync tries again what is left (the host failed, or is away again). */
  run(hostId: HostId): Promise<void> {
    let running = this.#running.get(hostId);
    if (!running) {
      running = this.#run(hostId).finally(() => this.#running.delete(hostId));
      this.#running.set(hostId, running);
    }
    return running;
  }

  /** Begins no new clean-up, and stops waiting for hosts. */
  stop(): void {
    this.#stopped.abort();
  }

  async #run(hostId: HostId): Promise<void> {
    const tried = new Set<VmId>();
    for (;;) {
      const { rows } = await this.db.primary.query<Cleanup>(OF_HOST, [hostId]);
      // More clean-ups may exist by now.
      const untried = rows.filter(({ vm_id }) => !tried.has(vm_id));
      if (untried.length === 0 || this.#stopped.signal.aborted) return;
      for (const { vm_id } of untried) tried.add(vm_id);
      await this.#removeAll(hostId, untried);
    }
  }

  async #removeAll(hostId: HostId, cleanups: readonly Cleanup[]): Promise<void> {
    // The host may have registered with another orchestrator a moment ago: commands carry its newest epoch.
    await this.snapshot.refresh();
    const left = [...cleanups];
    let removed = 0;
    const worker = async (): Promise<void> => {
      for (let next = left.pop(); next && !this.#stopped.signal.aborted; next = left.pop()) {
        if (await this.#remove(hostId, next)) removed++;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    await this.snapshot.refresh();
    this.log.info({ hostId, removed, left: cleanups.length - removed }, 'deleted VMs removed from host');
  }

  async #remove(hostId: HostId, cleanup: Cleanup): Promise<boolean> {
    if (!cleanup.placed_again && !(await this.#delete(hostId, cleanup))) return false;
    await withRetry(() => this.db.primary.batch({}, [{ statement: DONE, params: [hostId, cleanup.vm_id] }]));
    return true;
  }

  /** Repeats the delete under one command id. @returns whether the host has deleted the VM */
  async #delete(hostId: HostId, { vm_id: vmId, fence }: Cleanup): Promise<boolean> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const host = this.snapshot.host(hostId);
      if (host?.state !== 'up') return false;
      const { epoch } = host;
      const { generation } = this.snapshot;
      const commandId = `cleanup-${vmId}:${fence}`;
      const command: Command = { kind: 'delete', commandId, vmId, epoch, generation, fence };
      const answer = await this.link.command(hostId, command, COMMAND_TIMEOUT_MS);
      if (answer.outcome === 'done') return true;
      if (answer.outcome === 'failed' && answer.code === 'not_found') return true;
      const again =
        answer.outcome === 'accepted' || (answer.outcome === 'fenced' && (await this.#isNew(hostId, epoch)));
      if (!again || performance.now() > until || this.#stopped.signal.aborted) {
        this.log.warn({ hostId, vmId, answer }, 'removal of a deleted VM failed');
        return false;
      }
      await sleep(ASK_AGAIN_MS);
    }
  }

  /** Whether the host has registered again since `epoch`. */
  async #isNew(hostId: HostId, epoch: number): Promise<boolean> {
    await this.snapshot.refresh();
    return (this.snapshot.host(hostId)?.epoch ?? epoch) > epoch;
  }
}
