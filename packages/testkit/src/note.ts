import { writeSync } from 'node:fs';

/** Prints a line for a person who watches the tests. Written at once, because Jest buffers console output. */
export function note(line: string): void {
  writeSync(2, `  ${line}\n`);
}
