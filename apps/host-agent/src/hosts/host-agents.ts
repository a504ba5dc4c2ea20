import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { ServiceConfig, ServiceLogger } from '@novacron/service-kit/inject';
import { Readiness } from '@novacron/service-kit/readiness';
import type { Logger } from '@novacron/telemetry/logger';
import { showGuests } from '../agent/instruments.js';
import type { AgentConfig } from '../config.js';
import { HostSlot } from './host-slot.js';
import { readHosts } from './hosts-file.js';
import { driverOpener } from './open-driver.js';

/**
 * Starts an agent for each host of the hosts file. NATS may connect later: until then the process is not ready. A host
 * whose state cannot be opened is left out, so that the others work. The process is not ready in that case either.
 */
@Injectable()
export class HostAgents implements OnApplicationBootstrap {
  constructor(
    @ServiceConfig() private readonly config: AgentConfig,
    @ServiceLogger() private readonly logger: Logger,
    private readonly drain: DrainCoordinator,
    private readonly readiness: Readiness,
  ) {}

  /** @throws Error that names the mistake in the hosts file or the hypervisor, or when no host's state can be opened */
  async onApplicationBootstrap(): Promise<void> {
    const { config, logger, drain, readiness } = this;
    const hosts = await readHosts(config.agent.hosts);
    const openDriver = await driverOpener(config, logger);
    const opened = await Promise.allSettled(
      hosts.map((host) => HostSlot.open(host, config.agent.stateDir, openDriver, logger)),
    );
    const slots = opened.flatMap((host) => (host.status === 'fulfilled' ? [host.value] : []));
    const failed = opened.flatMap((host, i) =>
      host.status === 'rejected' ? [{ name: hosts[i]?.name, reason: host.reason as Error }] : [],
    );
    if (slots.length === 0 && failed[0]) throw failed[0].reason;
    for (const { name, reason } of failed)
      logger.error({ err: reason, host: name }, 'host state open failed');
    const connecting = slots.map(async (slot) => {
      try {
        await slot.connect(config, hosts.length, drain.signal);
      } catch (error) {
        if (!drain.signal.aborted) throw error;
      }
    });
    drain.add('consumers', 'hosts', async () => {
      await Promise.all(connecting);
      await Promise.all(slots.map((slot) => slot.close()));
    });
    showGuests(() => slots.reduce((sum, { guests }) => sum + guests, 0));
    const leftOut = failed.map(({ name, reason }) => `${name} is left out: ${reason.message}`);
    readiness.add('hosts', () => allWork(slots, leftOut));
  }
}

function allWork(slots: readonly HostSlot[], leftOut: readonly string[]): void {
  const missing = [...leftOut, ...slots.flatMap((slot) => slot.missing ?? [])];
  const all = slots.length + leftOut.length;
  if (missing.length > 0) throw new Error(`${missing.length} of ${all} hosts: ${missing[0]}`);
}
