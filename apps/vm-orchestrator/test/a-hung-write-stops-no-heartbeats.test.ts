import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { HostId } from '@novacron/contracts/ids';
import type { Database } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';
import type { HeartbeatContents } from '../src/hosts/heartbeat-contents.js';
import { Heartbeats } from '../src/hosts/heartbeats.js';
import { HostSettings } from '../src/hosts/settings.js';
import type { HostSnapshot } from '../src/hosts/snapshot.js';
import { Liveness } from '../src/jobs/liveness.js';

const STATEMENT_TIMEOUT_MS = 32_000;
const log = { warn: () => undefined } as unknown as Logger;

let hang: boolean;
let written: unknown[][];
/** Answers at once or, while it hangs, fails at the caller's time limit. */
const db = {
  primary: {
    batch: ({ timeoutMs = STATEMENT_TIMEOUT_MS }, [first]: { params?: unknown[] }[]) => {
      written.push(first?.params ?? []);
      if (!hang) return Promise.resolve({ results: [] });
      return new Promise((_, reject) => setTimeout(() => reject(new Error('no answer')), timeoutMs));
    },
  },
} as unknown as Database;

beforeEach(() => {
  jest.useFakeTimers();
  hang = false;
  written = [];
});
afterEach(() => void jest.useRealTimers());

describe('a write that hangs', () => {
  it('does not keep a worker from another heartbeat before it counts as dead', async () => {
    const liveness = new Liveness(db, log);
    await liveness.start();
    hang = true;
    await jest.advanceTimersByTimeAsync(1_500);
    hang = false;
    const before = written.length;
    await jest.advanceTimersByTimeAsync(2_500);
    expect(written.length).toBeGreaterThan(before);
    await liveness.stop();
  });

  it('does not keep back the heartbeats of hosts that arrive after it', async () => {
    const host = '0192aaaa-0000-7000-8000-00000000000a' as HostId;
    const snapshot = { host: () => ({ epoch: 1, state: 'up' }) } as unknown as HostSnapshot;
    const contents = { apply: () => Promise.resolve() } as unknown as HeartbeatContents;
    const settings = new HostSettings();
    const heartbeats = new Heartbeats(db, snapshot, contents, settings, log);
    heartbeats.start();
    hang = true;
    await heartbeats.receive(host, 1);
    await jest.advanceTimersByTimeAsync(settings.flushMs);
    hang = false;
    await heartbeats.receive(host, 1);
    await jest.advanceTimersByTimeAsync(settings.flushMs);
    expect(written.map(([hosts]) => hosts)).toEqual([[host], [host]]);
    await heartbeats.stop();
  });
});
