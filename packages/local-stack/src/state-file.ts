import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { StackError } from './stack-error.js';

/** Writes JSON atomically: a crash leaves the old file or the new one. Only the owner can read it. */
export function writeStateFile(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Reads JSON; undefined when the file is missing. @throws StackError with a hint when the file is damaged */
export function readStateFile(
  file: string,
  repair = 'Restore it, or discard all state: npm run stack -- reset',
): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StackError(`${file} cannot be read (${(error as Error).message})`, repair, { cause: error });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StackError(`${file} is damaged: it is not JSON`, repair, { cause: error });
  }
}
