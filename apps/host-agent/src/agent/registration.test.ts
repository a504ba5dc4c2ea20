import { describe, expect, it } from '@jest/globals';
import { VirtualClock } from '../time/clock.js';
import { RegistrationLoop } from './registration.js';

function host() {
  const clock = new VirtualClock();
  const seen = { registers: 0, beats: 0, inventories: 0, epochs: [] as number[], failures: [] as string[] };
  const answers = { fails: 0, needed: 'nothing' as 'nothing' | 'register' | 'inventory', deaf: false };
  const registration = new RegistrationLoop({
    clock,
    register: async () => {
      seen.registers += 1;
      if (seen.registers <= answers.fails) throw new Error('no orchestrator');
      return { epoch: seen.epochs.length + 1, generation: 1, heartbeatMs: 5_000 };
    },
    heartbeat: async () => {
      if (answers.deaf) throw new Error('no answer');
      seen.beats += 1;
      return answers.needed;
    },
    onRegistered: ({ epoch }) => seen.epochs.push(epoch),
    onInventoryWanted: () => (seen.inventories += 1),
    onFailure: (what) => seen.failures.push(what),
  });
  return { clock, seen, answers, registration };
}

describe('a registration', () => {
  it('is retried until it succeeds, then sends heartbeats at the received interval', async () => {
    const { clock, seen, answers, registration } = host();
    answers.fails = 3;
    void registration.begin();
    await clock.advance(10_000);
    expect(seen).toMatchObject({ registers: 4, epochs: [1] });
    seen.beats = 0;
    await clock.advance(50_000);
    expect(seen.beats).toBe(10);
    registration.close();
  });

  it('begins a new epoch when a heartbeat asks for it, and continues its heartbeats', async () => {
    const { clock, seen, answers, registration } = host();
    await registration.begin();
    answers.needed = 'register';
    await clock.advance(5_000);
    answers.needed = 'nothing';
    expect(seen.epochs).toEqual([1, 2]);
    await clock.advance(50_000);
    expect(seen).toMatchObject({ epochs: [1, 2], beats: 11 });
    registration.close();
  });

  it('stays valid when heartbeats get no answer', async () => {
    const { clock, seen, answers, registration } = host();
    await registration.begin();
    answers.deaf = true;
    await clock.advance(60_000);
    answers.deaf = false;
    await clock.advance(5_000);
    expect(seen).toMatchObject({ epochs: [1], beats: 1 });
    expect(registration.registered).toBe(true);
    registration.close();
  });

  it('repeats a lost heartbeat before the host would count as unreachable', async () => {
    const { clock, seen, answers, registration } = host();
    await registration.begin();
    answers.deaf = true;
    await clock.advance(5_000);
    expect(seen).toMatchObject({ beats: 0, failures: ['heartbeat'] });
    answers.deaf = false;
    await clock.advance(2_500);
    expect(seen.beats).toBe(1);
    await clock.advance(5_000);
    expect(seen.beats).toBe(2);
    registration.close();
  });

  it('sends an inventory when a heartbeat asks for it', async () => {
    const { clock, seen, answers, registration } = host();
    await registration.begin();
    answers.needed = 'inventory';
    await clock.advance(5_000);
    expect(seen.inventories).toBe(1);
    registration.close();
  });

  it('registers once when several reasons coincide', async () => {
    const { seen, registration } = host();
    await Promise.all([registration.begin(), registration.begin(), registration.begin()]);
    expect(seen.registers).toBe(1);
    registration.close();
  });
});
