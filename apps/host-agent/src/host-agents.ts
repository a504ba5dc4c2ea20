import type { ServiceContext } from '@novacron/service-kit/context';
import { showGuests } from './agent/instruments.js';
import type { AgentConfig } from './config.js';
import { driverOpener } from './drivers/open.js';
import { HostSlot } from './host-slot.js';
import { readHosts } from './hosts-file.js';

/**
 * Starts an agent for each host of the hosts file. NATS may come later: until then the process is not ready. A host
 * whose state cannot be opened is left out, so that the others work; the process is not ready then.
 * @throws what is wrong with the hosts file or the hypervisor, or with the state of every host.
 */
export async function startHostAgents(context: ServiceContext<AgentConfig>): Promise<void> {
  const { config, logger, drain, readiness } = context;
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
  for (const { name, reason } of failed) logger.error({ err: reason, host: name }, 'host state open failed');
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

function allWork(slots: readonly HostSlot[], leftOut: readonly string[]): void {
  const missing = [...leftOut, ...slots.flatMap((slot) => slot.missing ?? [])];
  const all = slots.length + leftOut.length;
  if (missing.length > 0) throw new Error(`${missing.length} of ${all} hosts: ${missing[0]}`);
}
