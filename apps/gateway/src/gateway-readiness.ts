import { errors as natsErrors, type NatsConnection } from '@nats-io/transport-node';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import { metricsRpc } from '@novacron/contracts/metrics';
import type { Readiness } from '@novacron/service-kit/readiness';

/** Less than a check may take, so that it ends with its own reason. */
const ASK_MS = 900;
/** The services behind the gateway, each with a subject that it serves. */
const PEERS = {
  orchestrator: infrastructureRpc.quota.subject,
  metrics: metricsRpc.latest.subject,
} as const;

/**
 * Adds the services behind the gateway to its checks. One that nobody runs is named, but does not make the gateway
 * unready: it would only turn every answer into a balancer's 502, also those that do well without that service.
 */
export function checkPeers(readiness: Readiness, nc: NatsConnection): void {
  for (const [name, subject] of Object.entries(PEERS))
    readiness.add(
      name,
      () => presence(nc, subject),
      () => true,
    );
}

/** An envelope that says nothing is refused at once, by whoever serves the subject: that is presence enough. */
async function presence(nc: NatsConnection, subject: string): Promise<void> {
  try {
    await nc.request(subject, '{}', { timeout: ASK_MS });
  } catch (error) {
    const nobody = error instanceof natsErrors.NoRespondersError || error instanceof natsErrors.RequestError;
    throw nobody ? new Error('nobody serves it', { cause: error }) : error;
  }
}
