/** How fast silence is noticed. All in milliseconds. */
export interface HostSettings {
  /** What agents are told at registration. */
  readonly heartbeatMs: number;
  /** Heartbeats reach the database this often: one statement for all hosts. */
  readonly flushMs: number;
  /** Each host is asked for its inventory this often, give or take a tenth. */
  readonly resyncMs: number;
  /** How often the database is asked whom to ask. */
  readonly resyncTickMs: number;
}

export const HOST_SETTINGS: HostSettings = {
  heartbeatMs: 2_000,
  flushMs: 1_000,
  resyncMs: 60_000,
  resyncTickMs: 1_000,
};

const MISSED_HEARTBEATS = 3;

/** A host is down when its last heartbeat in the database is older than this. */
export function downAfterMs({ heartbeatMs, flushMs }: HostSettings): number {
  return MISSED_HEARTBEATS * heartbeatMs + flushMs;
}

/** After this process, NATS or the database was away: hosts need time to be heard again. */
export function graceMs(settings: HostSettings): number {
  return 2 * downAfterMs(settings);
}
