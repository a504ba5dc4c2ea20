import { writeSync } from 'node:fs';

/** A line for whoever watches the tests: what took how long. Written at once, where Jest would keep it. */
export function note(line: string): void {
  writeSync(2, `  ${line}\n`);
}
