import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { errors as natsErrors, type NatsConnection } from '@nats-io/transport-node';
import { Cache } from '@novacron/cache/cache';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import { metricsRpc } from '@novacron/contracts/metrics';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import { Nats } from '@novacron/service-kit/inject';
import { Readiness } from '@novacron/service-kit/readiness';

/** A gateway that has lost NATS for longer leaves writes and uncached reads to its peers, which may have it. */
const NATS_GRACE_MS = 30_000;
/** Less than a check may take, so that it ends with its own reason. */
const REQUEST_MS = 900;
/**
 * The gateway is not ready, and still listens: requests that clients sent before they noticed are in the accept queue
 * or half read. Closing the server at once would reset them.
 */
const ON_THEIR_WAY_MS = 300;
/** The services behind the gateway, each with a subject that it serves. */
const PEERS = {
  orchestrator: infrastructureRpc.quota.subject,
  metrics: metricsRpc.latest.subject,
} as const;

/** When the gateway is ready, and how long it listens after it is not. */
@Injectable()
export class GatewayReadiness implements OnApplicationBootstrap {
  constructor(
    private readonly readiness: Readiness,
    private readonly cache: Cache,
    private readonly drain: DrainCoordinator,
    @Nats() private readonly nc: NatsConnection,
  ) {}

  onApplicationBootstrap(): void {
    // The L1 answers callers with a known token without any dependency.
    this.readiness.serveWhile(() => this.cache.servesByItself(), { nats: NATS_GRACE_MS });
    // A missing peer is reported, and leaves the gateway ready: otherwise each answer, also one that does not need
    // that peer, would become a balancer's 502.
    for (const [name, subject] of Object.entries(PEERS))
      this.readiness.add(
        name,
        () => this.#presence(subject),
        () => true,
      );
    this.drain.add('consumers', 'requests on their way', () => sleep(ON_THEIR_WAY_MS));
  }

  /** A service rejects an empty request at once. Any reply proves that the service is present. */
  async #presence(subject: string): Promise<void> {
    try {
      await this.nc.request(subject, '{}', { timeout: REQUEST_MS });
    } catch (error) {
      const isAbsent =
        error instanceof natsErrors.NoRespondersError || error instanceof natsErrors.RequestError;
      throw isAbsent ? new Error('nobody serves it', { cause: error }) : error;
    }
  }
}
