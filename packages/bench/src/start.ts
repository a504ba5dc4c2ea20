import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';
import { freeOffset } from '@novacron/local-stack/stack/stack-process';
import type { BenchContext, Benchmark, Measurement } from './benchmark.js';
import { median } from './stats.js';

interface Started {
  readonly seconds: number;
  /** everything that it printed */
  readonly output: string;
}

/** Runs `npm start` as a person does until it says that it is ready, then presses Ctrl-C. */
async function npmStart(directory: string, home: string): Promise<Started> {
  const offset = String(await freeOffset());
  const began = performance.now();
  const child = spawn('npm', ['start', '--', '--port-offset', offset], {
    cwd: directory,
    env: { ...inheritedEnvironment(), NOVACRON_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a process group of its own, for its Ctrl-C
  });
  const interrupt = (): void =>
    void (child.pid && child.exitCode === null && process.kill(-child.pid, 'SIGINT'));
  process.once('exit', interrupt);
  try {
    const output = await ready(child);
    return { seconds: (performance.now() - began) / 1_000, output };
  } finally {
    process.removeListener('exit', interrupt);
    const ended = new Promise((done) => child.once('exit', done));
    if (child.exitCode === null) {
      interrupt();
      await ended;
    }
  }
}

function ready(child: ChildProcess): Promise<string> {
  let output = '';
  return new Promise((done, failed) => {
    const keep = (chunk: Buffer): void => {
      output += chunk.toString();
      if (output.includes('is ready after')) done(output);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.once('error', failed);
    child.once('exit', (code) => failed(new Error(`npm start ended with ${code}: ${output.slice(-2_000)}`)));
  });
}

async function warm(context: BenchContext): Promise<Measurement> {
  const home = mkdtempSync(join(tmpdir(), 'novacron-bench-'));
  try {
    const samples: number[] = [];
    for (let round = 0; round <= (context.quick ? 1 : 3); round++) {
      const { seconds } = await npmStart(repositoryRoot, home);
      context.progress(
        `start: ${round === 0 ? 'first, not counted' : `warm ${round}`}: ${seconds.toFixed(1)} s`,
      );
      if (round > 0) samples.push(seconds);
    }
    return {
      name: 'start.warm',
      value: median(samples),
      unit: 's',
      samples,
      target: { of: 'value', atMost: 15 },
    };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Steps of `npm start` that download; their seconds stand at the end of the line that they print. */
const DOWNLOADS = /^(toolchain|dependencies)\b.* ([\d.]+) s$/gm;

async function cold(context: BenchContext): Promise<Measurement[]> {
  const directory = mkdtempSync(join(tmpdir(), 'novacron-clone-'));
  try {
    execFileSync('git', ['clone', '-q', repositoryRoot, directory]);
    const { seconds, output } = await npmStart(directory, join(directory, '.novacron'));
    const downloads = [...output.matchAll(DOWNLOADS)].reduce((sum, match) => sum + Number(match[2]), 0);
    context.progress(`start: cold: ${seconds.toFixed(1)} s, of which ${downloads.toFixed(1)} s downloads`);
    const apart = seconds - downloads;
    return [
      { name: 'start.cold', value: apart, unit: 's', samples: [apart], target: { of: 'value', atMost: 120 } },
      { name: 'start.cold-downloads', value: downloads, unit: 's', samples: [downloads] },
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export const start: Benchmark = {
  name: 'start',
  about: 'npm start until it is ready, in a home that was started before; --cold: also from a fresh clone',
  run: async (context) => [await warm(context), ...(context.cold ? await cold(context) : [])],
};
