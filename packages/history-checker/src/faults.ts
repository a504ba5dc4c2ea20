import { connect } from 'node:net';
import { pause, sleep } from '@novacron/async/sleep';
import { gone } from '@novacron/local-stack/supervisor/processes';
import type { Fleet } from './fleet.js';
import type { Random } from './random.js';
import type { Excuse, HistoryRecorder } from './recorder.js';

interface Fault {
  readonly name: string;
  readonly excuses: Excuse;
  /** Causes the fault, waits, and repairs it. */
  run(): Promise<void>;
}

export interface FaultOptions {
  readonly fleet: Fleet;
  readonly recorder: HistoryRecorder;
  readonly random: Random;
  /** The longest delay of a replica, milliseconds. */
  readonly longestLagMs: number;
  /** false: the only disturbance is a replica with a random delay */
  readonly faults: boolean;
}

/** Time that reconnects, breakers and probes need after a repair, milliseconds. */
const RECOVERY_MS = 8_000;
/** The first fault comes after this time, so that the fleet is warm. */
const QUIET_MS = [500, 3_000] as const;

/** Causes faults one after the other, in an order that the seed determines. Every kind occurs before one repeats. */
export class Faults {
  /** The number of faults of each kind. */
  readonly counts = new Map<string, number>();

  constructor(private readonly options: FaultOptions) {}

  /** Runs until `signal`, and repairs the current fault before it ends. Rejects when a repair fails. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#delayAtRandom(signal),
      this.options.faults ? this.#breakThings(signal) : undefined,
    ]);
  }

  async #breakThings(signal: AbortSignal): Promise<void> {
    const { random, recorder } = this.options;
    while (!signal.aborted) {
      for (const fault of random.shuffled(this.#deck())) {
        await pause(random.between(...QUIET_MS), { signal });
        if (signal.aborted) return;
        const over = recorder.fault(fault.name, fault.excuses);
        await fault.run();
        over(RECOVERY_MS);
        this.counts.set(fault.name, (this.counts.get(fault.name) ?? 0) + 1);
      }
    }
  }

  #deck(): Fault[] {
    const { fleet, random, longestLagMs } = this.options;
    const { nats, redis } = fleet.servers;
    const short = () => sleep(random.between(300, 3_000));
    const each = <T>(all: readonly T[], make: (one: T, index: number) => Fault): Fault => {
      const index = random.between(0, all.length - 1);
      return make(all[index] as T, index);
    };
    const killed = (
      name: string,
      excuses: Excuse,
      server: { kill(): Promise<void>; start(): Promise<void> },
    ) => ({
      name: `${name} killed`,
      excuses,
      run: async () => {
        await server.kill();
        await short();
        await server.start();
      },
    });
    const frozen = (name: string, excuses: Excuse, server: { readonly pid: number | undefined }): Fault => ({
      name: `${name} frozen`,
      excuses,
      run: async () => {
        const { pid } = server;
        if (pid === undefined) return;
        process.kill(pid, 'SIGSTOP');
        await short();
        process.kill(pid, 'SIGCONT');
      },
    });
    return [
      {
        name: 'replica paused',
        excuses: null,
        run: async () => {
          const [replica] = fleet.replicas;
          await replica?.pause();
          await sleep(random.between(1_000, longestLagMs));
          await replica?.resume();
        },
      },
      each(fleet.replicas, (replica) => killed(replica.name, null, replica)),
      { name: 'Redis flushed', excuses: null, run: () => flushRedis(fleet.servers.redisUrl) },
      killed('Redis', null, redis),
      frozen('Redis', null, redis),
      killed('NATS', {}, nats),
      {
        name: 'NATS killed, its streams lost',
        excuses: {},
        run: async () => {
          await nats.kill();
          fleet.loseJetStream();
          await short();
          await nats.start();
        },
      },
      each(fleet.invalidators, (one, index) => killed(`invalidator ${index}`, null, one)),
      each(fleet.invalidators, (one, index) => frozen(`invalidator ${index}`, null, one)),
      each(fleet.invalidators, (one, index) => ({
        name: `invalidator ${index} killed at a tombstone`,
        excuses: null,
        run: async () => {
          const { pid } = one;
          if (pid === undefined) return;
          process.kill(pid, 'SIGUSR2');
          if (!(await gone(pid, 5_000))) await one.kill(); // no event arrived
          await short();
          await one.start();
        },
      })),
      killed('both invalidators', null, {
        kill: async () => void (await Promise.all(fleet.invalidators.map((one) => one.kill()))),
        start: async () => void (await Promise.all(fleet.invalidators.map((one) => one.start()))),
      }),
      each(fleet.gateways, ({ process: gateway }, index) =>
        killed(
          `gateway ${index}`,
          { gateway: index },
          { kill: () => fleet.killGateway(index), start: () => gateway.start() },
        ),
      ),
      {
        name: 'primary restarted',
        excuses: { replicasAnswer: true },
        run: async () => {
          await fleet.cluster.end('primary', random.chance(0.5) ? 'kill' : 'stop');
          await sleep(random.between(100, 1_500));
          await fleet.cluster.restart('primary');
        },
      },
      killed('orchestrator', {}, fleet.orchestrator),
    ];
  }

  /** Keeps the second replica behind by a random, changing delay. */
  async #delayAtRandom(signal: AbortSignal): Promise<void> {
    const random = this.options.random.fork();
    const replica = this.options.fleet.replicas[1];
    while (!signal.aborted) {
      try {
        await replica?.pause();
        await sleep(random.between(5, random.chance(0.1) ? 1_500 : 300));
        await replica?.resume();
        await sleep(random.between(1, 60));
      } catch {
        await sleep(100); // it is down at the moment
      }
    }
    await replica?.resume().catch(() => undefined); // it is down, and will start without a pause
  }
}

/** Deletes all of its data while it runs. */
function flushRedis(url: string): Promise<void> {
  const { hostname, port, password } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.end(`AUTH ${password}\r\nFLUSHALL\r\nQUIT\r\n`),
    );
    socket.once('error', reject);
    socket.once('close', () => resolve());
    socket.resume();
  });
}
