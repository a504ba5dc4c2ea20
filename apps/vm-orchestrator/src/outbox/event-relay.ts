import { Injectable } from '@nestjs/common';
import type { JetStreamClient } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { Relay } from '@novacron/outbox/relay';
import type { Database } from '@novacron/postgres/database';
import { JetStream, Nats, ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Logger } from '@novacron/telemetry/logger';
import { countSetAside } from './set-aside.js';

/** The relay with this service's connections. */
@Injectable()
export class EventRelay extends Relay {
  constructor(
    @SystemDatabase() database: Database,
    @Nats() nc: NatsConnection,
    @JetStream() js: JetStreamClient,
    @ServiceLogger() log: Logger,
  ) {
    super({ database, nc, js, service: 'orchestrator', log, onSetAside: countSetAside });
  }
}
