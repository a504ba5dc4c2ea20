import { loadConfig } from '@novacron/config/load';
import { connectNats } from '@novacron/messaging/connect';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MetricPublisher } from './agent/metric-publisher.js';
import { systemClock } from './time/clock.js';
import { settings } from './config.js';
import type { Sample } from './drivers/driver.js';
import { GuestStore } from './drivers/simulated/guest-store.js';
import { replayDay } from './drivers/simulated/replay.js';
import { readTraces, type Trace } from './drivers/simulated/trace.js';
import { readHosts, type HostEntry } from './hosts/hosts-file.js';

const USAGE = `usage: node apps/host-agent/dist/replay.js [--from RFC3339] [--pace MS]

Plays a recorded day (NOVACRON_AGENT_SIM_TRACE) through every VM of the simulated hosts of NOVACRON_AGENT_HOSTS: a
point of cpu_usage and of memory_usage every five minutes from --from on (default: yesterday, midnight UTC), as fast
as the metrics' stream takes them, or one line of the recording every MS milliseconds. The environment is that of the
hosts' agent, which may run on meanwhile. A VM whose name ends in a number plays the recording of that number.
`;
const DAY_MS = 86_400_000;

/** Publishes for one host, and counts its points. */
class Player {
  points = 0;
  dropped = 0;

  constructor(
    private readonly host: HostEntry,
    private readonly natsUrl: string,
  ) {}

  async play(day: Iterable<Sample[]>, paceMs: number): Promise<void> {
    const { hostId, natsUser: user, natsPassword: password, name } = this.host;
    const nc = await connectNats({ url: this.natsUrl, user, password, name: `replay ${name}` });
    const publisher = new MetricPublisher({
      nc,
      source: hostId,
      clock: systemClock,
      maxBytes: Infinity, // at most a line at a time waits here
      onPublished: (points) => (this.points += points),
      onDropped: (points) => (this.dropped += points),
    });
    for (const samples of gathered(day, paceMs > 0 ? 1 : LINES_AT_ONCE)) {
      publisher.add(samples);
      await publisher.idle();
      await systemClock.sleep(paceMs);
    }
    await nc.drain();
  }
}

/** An hour of the recording: few messages of a bounded size. */
const LINES_AT_ONCE = 12;

function* gathered(day: Iterable<Sample[]>, lines: number): Iterable<Sample[]> {
  let waiting: Sample[][] = [];
  for (const line of day) {
    waiting.push(line);
    if (waiting.length < lines) continue;
    yield waiting.flat();
    waiting = [];
  }
  if (waiting.length > 0) yield waiting.flat();
}

async function main(): Promise<void> {
  const { from, paceMs } = readArguments();
  const config = loadConfig({
    natsUrl: settings.natsUrl,
    agent: settings.agent,
    simulated: settings.simulated,
  });
  if (config.simulated.trace === undefined) throw new Error('NOVACRON_AGENT_SIM_TRACE names no recorded day');
  const traces = await readTraces(config.simulated.trace);
  const hosts = await readHosts(config.agent.hosts);
  const results = await Promise.all(hosts.map((host) => playHost(host, config, traces, from, paceMs)));
  const sum = (read: (result: { vms: number; points: number }) => number) =>
    results.reduce((all, one) => all + read(one), 0);
  const answer = {
    from: new Date(from).toISOString(),
    vms: sum(({ vms }) => vms),
    points: sum(({ points }) => points),
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function playHost(
  host: HostEntry,
  config: { natsUrl: string; agent: { stateDir: string } },
  traces: readonly Trace[],
  from: number,
  paceMs: number,
): Promise<{ vms: number; points: number }> {
  const guests = await GuestStore.read(join(config.agent.stateDir, host.hostId, 'guests.journal'));
  if (guests.length === 0) return { vms: 0, points: 0 };
  const player = new Player(host, config.natsUrl);
  await player.play(replayDay(traces, guests, from), paceMs);
  if (player.dropped > 0) throw new Error(`${player.dropped} points of ${host.name} were refused`);
  return { vms: guests.length, points: player.points };
}

function readArguments(): { from: number; paceMs: number } {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      pace: { type: 'string', default: '0' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  const yesterday = (Math.floor(Date.now() / DAY_MS) - 1) * DAY_MS;
  const from = values.from === undefined ? yesterday : Date.parse(values.from);
  const paceMs = Number(values.pace);
  if (!Number.isFinite(from) || !(paceMs >= 0))
    throw new Error(`--from must be a time, --pace milliseconds\n${USAGE}`);
  return { from, paceMs };
}

main().catch((error: unknown) => {
  process.stderr.write(`replay: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
