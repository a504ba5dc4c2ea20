import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { seededRandom } from '@novacron/async/random';

/** A day in lines of five minutes: percent of CPU and of memory. */
export interface Day {
  readonly cpu: readonly number[];
  readonly memory: readonly number[];
}

export const stepSeconds = 300;
const lines = 288;

/** A tar of recorded days of real machines, when the person who runs the tests names one. */
const recording = process.env['NOVACRON_AGENT_SIM_TRACE'];

/** A seeded day in the recording's format: high at noon, low at night, different for each machine. */
function seededDay(machine: number): string {
  const next = seededRandom(machine + 1);
  const line = (index: number) => {
    const sun = (1 - Math.cos((2 * Math.PI * index) / lines)) / 2;
    return `${(5 + 70 * sun + 20 * next()).toFixed(3)} ${(30 + 20 * sun + 10 * next()).toFixed(3)}`;
  };
  return `${Array.from({ length: lines }, (_, index) => line(index)).join('\n')}\n`;
}

/** Puts the recorded days into `directory`, a file for each machine; answers the days in the order of the files' names. */
export async function recordedDays(
  directory: string,
): Promise<{ readonly real: boolean; readonly days: Day[] }> {
  mkdirSync(directory, { recursive: true });
  if (recording !== undefined)
    await promisify(execFile)('tar', ['-xzf', recording, '-C', directory, '--no-same-owner']);
  else
    for (let machine = 0; machine < 20; machine++)
      writeFileSync(join(directory, `seeded_${String(machine).padStart(2, '0')}`), seededDay(machine));
  const days = readdirSync(directory)
    .sort()
    .map((name) => {
      const rows = readFileSync(join(directory, name), 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/).map(Number));
      return {
        cpu: rows.map(([cpu]) => cpu ?? Number.NaN),
        memory: rows.map(([, memory]) => memory ?? Number.NaN),
      };
    });
  return { real: recording !== undefined, days };
}
