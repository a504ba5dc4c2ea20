import { connect } from '@nats-io/transport-node';
import { until } from '@novacron/testkit/wait';

const REQUEST_AGAIN_MS = 2_000;

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
    let requestedAt = 0;
    const requestMissing = async () => {
      requestedAt = Date.now();
      await Promise.all(
        missing().map((id) => nc.request(`agents.${id}.inventory`, '{}', { timeout: 30_000 })),
      );
    };
    const complete = async () => {
      // An agent that is sending its inventory ignores a second request, so missing hosts are requested again.
      if (missing().length > 0 && Date.now() > requestedAt + REQUEST_AGAIN_MS) await requestMissing();
      return missing().length === 0;
    };
    await until(complete, undefined, () => `no inventory of ${missing().join(', ')}`);
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
