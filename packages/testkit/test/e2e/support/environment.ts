import { readFileSync } from 'node:fs';

/** The environment of a process of ours, as it was started with: for commands that need the same settings. */
export function environmentOf(pid: number | undefined): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
