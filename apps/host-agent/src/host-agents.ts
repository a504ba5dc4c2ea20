import type { ServiceContext } from '@novacron/service-kit/context';
import { showGuests } from './agent/instruments.js';
import type { AgentConfig } from './config.js';
import { driverOpener } from './drivers/open.js';
import { HostSlot } from './host-slot.js';
import { readHosts } from './hosts-file.js';

/**
 * Starts an agent for each host of the hosts file. NATS may come later: until then the process is not ready.
 * @throws what is wrong with the hosts file, the state or the hypervisor.
 */
export async function startHostAgents(context: ServiceContext<AgentConfig>): Promise<void> {
  const { config, logger, drain, readiness } = context;
  const hosts = await readHosts(config.agent.hosts);
  const openDriver = await driverOpener(config, logger);
  const slots = await Promise.all(
    hosts.map((host) => HostSlot.open(host, config.agent.stateDir, openDriver, logger)),
  );
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
  readiness.add('hosts', () => allWork(slots));
}

function allWork(slots: readonly HostSlot[]): void {
  const missing = slots.flatMap((slot) => slot.missing ?? []);
  if (missing.length > 0) throw new Error(`${missing.length} of ${slots.length} hosts: ${missing[0]}`);
}
