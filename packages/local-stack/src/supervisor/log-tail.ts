import {
  closeSync,
  copyFileSync,
  fstatSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { pause } from '@novacron/async/sleep';
import { isNoSpace } from './processes.js';

function readFrom(file: string, from: (size: number) => number): { text: string; end: number } {
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const start = Math.max(0, from(size));
    const buffer = Buffer.alloc(Math.max(0, size - start));
    const length = readSync(fd, buffer, 0, buffer.length, start);
    return { text: buffer.toString('utf8', 0, length), end: start + length };
  } finally {
    closeSync(fd);
  }
}

/** The size of a log in bytes; 0 when there is none. */
export function logSize(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** The last `count` lines of a log, none from before byte `since`. */
export function tail(file: string, count: number, since = 0): { lines: string[]; end: number } {
  const { text, end } = readFrom(file, (size) => Math.max(since, size - count * 400 - 4096));
  return { lines: text.split('\n').filter(Boolean).slice(-count), end };
}

function message(line: string): string {
  try {
    const entry = JSON.parse(line) as { msg?: unknown; err?: { message?: unknown } };
    return [entry.msg, entry.err?.message].filter((part) => typeof part === 'string').join(': ') || line;
  } catch {
    return line; // a server's or a crash's plain text
  }
}

/** The most telling of a log's last lines after byte `since`, as one line for a person. Undefined without one. */
export function lastLine(file: string, since = 0): string | undefined {
  try {
    const { lines } = tail(file, 30, since);
    const telling = lines.filter((line) => !/^\s+at |^Node\.js v|^\s*[\^}\]]/.test(line));
    const line = telling.findLast((candidate) => /error|fatal|panic/i.test(candidate)) ?? telling.at(-1);
    return line === undefined ? undefined : message(line).slice(0, 400);
  } catch {
    return undefined; // no log was written
  }
}

/** Writes the text that is appended to a log, until `signal`. Starts again at byte 0 when the log was truncated. */
export async function follow(
  file: string,
  from: number,
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let at = from; !signal.aborted;) {
    const { text, end } = readFrom(file, (size) => (size < at ? 0 : at));
    if (text) write(text);
    at = end;
    await pause(250, { signal });
  }
}

/**
 * Copies a log larger than `maxBytes` to `.1` and truncates it. This is safe because its writer appends. On a full
 * disk the copy has no space, so the old text is discarded.
 */
export function rotate(file: string, maxBytes: number): void {
  if (logSize(file) <= maxBytes) return;
  try {
    copyFileSync(file, `${file}.1`);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    rmSync(`${file}.1`, { force: true });
  }
  truncateSync(file, 0);
}
