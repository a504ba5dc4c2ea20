import { errors as natsErrors, type NatsConnection } from '@nats-io/transport-node';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import { metricsRpc } from '@novacron/contracts/metrics';
import { showDegraded } from '@novacron/service-kit/readiness';
import type { Readiness } from '@novacron/telemetry/ops';

type Checks = Readiness['checks'];

const ASK_MS = 1_000;
const KEEP_MS = 500;
/** The services behind the gateway, each with a subject that it serves. */
const PEERS = {
  orchestrator: infrastructureRpc.quota.subject,
  metrics: metricsRpc.latest.subject,
} as const;

/**
 * What the gateway itself needs, and the services behind it. A service that nobody runs is named, but does not
 * make the gateway unready: it would only turn every answer into a balancer's 502, also those that do well
 * without that service.
 */
export function readyWithPeers(own: () => Promise<Readiness>, nc: NatsConnection): () => Promise<Readiness> {
  let kept: { readonly at: number; readonly checks: Promise<Checks> } | undefined;
  return async () => {
    const now = performance.now();
    if (kept === undefined || now - kept.at > KEEP_MS) kept = { at: now, checks: askPeers(nc) };
    const [{ ready, status, checks }, peers] = await Promise.all([own(), kept.checks]);
    for (const [name, { ok }] of Object.entries(peers)) showDegraded(name, ok);
    const whole = status === 'ok' && Object.values(peers).every(({ ok }) => ok);
    return { ready, status: ready && !whole ? 'degraded' : status, checks: { ...checks, ...peers } };
  };
}

async function askPeers(nc: NatsConnection): Promise<Checks> {
  const entries = await Promise.all(
    Object.entries(PEERS).map(async ([name, subject]) => [name, await presence(nc, subject)] as const),
  );
  return Object.fromEntries(entries);
}

/** An envelope that says nothing is refused at once, by whoever serves the subject: that is presence enough. */
async function presence(nc: NatsConnection, subject: string): Promise<Checks[string]> {
  try {
    await nc.request(subject, '{}', { timeout: ASK_MS });
    return { ok: true };
  } catch (error) {
    const nobody = error instanceof natsErrors.NoRespondersError || error instanceof natsErrors.RequestError;
    return { ok: false, detail: nobody ? 'nobody serves it' : (error as Error).message };
  }
}
