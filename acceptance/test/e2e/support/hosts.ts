import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';

interface InventoryPart {
  /** The parts of an inventory share a number. Later inventories have higher numbers. */
  readonly seq: number;
  readonly part: number;
  readonly parts: number;
  readonly facts: readonly { readonly vmId: string; readonly power: string }[];
}

export interface Guest {
  readonly hostId: string;
  readonly power: string;
}

/**
 * Requests every host's inventory and reads it on its way to the orchestrator. @returns for each VM id the hosts that
 * report it; a VM on two hosts has two entries
 */
export async function guestsOfHosts(
  natsAdminUrl: string,
  hostIds: readonly string[],
): Promise<Map<string, Guest[]>> {
  const { username, password, host } = new URL(natsAdminUrl);
  const nc = await connect({
    servers: `nats://${host}`,
    user: username,
    pass: password,
    inboxPrefix: `_INBOX.${username}`,
  });
  const parts = new Map<string, InventoryPart[]>();
  try {
    nc.subscribe('hosts.*.inventory', {
      callback: (error, message) => {
        if (error) return; // the connection ends, and the test with it
        const hostId = message.subject.split('.')[1] ?? '';
        const part = message.json<InventoryPart>();
        const same = (parts.get(hostId) ?? []).filter(({ seq }) => seq === part.seq);
        parts.set(hostId, [...same, part]);
      },
    });
    await nc.flush();
    const missing = () =>
      hostIds.filter(
        (id) => new Set(parts.get(id)?.map(({ part }) => part)).size < (parts.get(id)?.[0]?.parts ?? 1),
      );
    const ask = () =>
      Promise.all(missing().map((id) => nc.request(`agents.${id}.inventory`, '{}', { timeout: 30_000 })));
    await ask();
    // An agent that is sending its inventory ignores a second request, so missing hosts are requested again.
    let askAgain = Date.now() + 2_000;
    for (const until = Date.now() + 45_000; missing().length > 0; await sleep(20)) {
      if (Date.now() > askAgain) {
        await ask();
        askAgain = Date.now() + 2_000;
      }
      if (Date.now() > until) throw new Error('not every host sent its inventory within 45 s');
    }
  } finally {
    await nc.close();
  }
  const guests = new Map<string, Guest[]>();
  for (const [hostId, messages] of parts) {
    const powers = new Map(
      messages.flatMap(({ facts }) => facts.map(({ vmId, power }) => [vmId, power] as const)),
    );
    for (const [vmId, power] of powers) guests.set(vmId, [...(guests.get(vmId) ?? []), { hostId, power }]);
  }
  return guests;
}
