import { Global, Injectable, Module } from '@nestjs/common';

/** How often hosts and orchestrators talk, and with it how fast the loss of a host is noticed. In milliseconds. */
@Injectable()
export class HostSettings {
  /** Agents learn it at registration. */
  readonly heartbeatMs: number = 2_000;
  /** Heartbeats reach the database this often: one statement for all hosts. */
  readonly flushMs: number = 1_000;
  /** Each host is asked for its inventory this often, give or take a tenth. */
  readonly resyncMs: number = 60_000;
  /** How often the database is asked which hosts are due. */
  readonly resyncTickMs: number = 1_000;
  /** How old the view of the hosts may be. */
  readonly snapshotMs: number = 1_000;
}

/** A module of its own, so that tests can start the rooms with faster settings. */
@Global()
@Module({ providers: [HostSettings], exports: [HostSettings] })
export class HostSettingsModule {}

const MISSED_HEARTBEATS = 3;

/** A host is down when its last heartbeat in the database is older than this. */
export function downAfterMs({ heartbeatMs, flushMs }: HostSettings): number {
  return MISSED_HEARTBEATS * heartbeatMs + flushMs;
}

/** After this process, NATS or the database was away: hosts get time to send another heartbeat. */
export function graceMs(settings: HostSettings): number {
  return 2 * downAfterMs(settings);
}
