import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { syncDirectory } from './atomic-file.js';

const datasync = promisify(fdatasync);
const SLACK = 5_000;

/** A damaged state file. The message names the file and the line, and says what to do. */
export class DamagedStateError extends Error {
  override readonly name = 'DamagedStateError';
}

export interface JournalOptions<R> {
  /** Applies one record of the file; called in order while the journal opens. */
  readonly replay: (record: R) => void;
  /** The whole state as records, for a compacted file. */
  readonly snapshot: () => Iterable<R>;
  /** Compacts when the file has this many lines more than twice the last snapshot. */
  readonly slack?: number;
  readonly onCompactionFailed?: (error: unknown) => void;
  /** Frees space for lines that `mayWait`. @returns whether there was some */
  readonly releaseReserve?: () => boolean;
}

/** How to write a line. */
export interface AppendOptions {
  /** When the disk is full or read-only, the line waits in memory until it can be written. */
  readonly mayWait?: boolean;
  /** The line belongs to an operation that frees resources: before it waits, the reserve is freed for it. */
  readonly usesReserve?: boolean;
}

interface Line {
  readonly text: string;
  readonly options: AppendOptions;
  /** Called with whether the line is in the file. */
  readonly resolve: (written: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * An append-only file of JSON lines that stores a state: replayed at the start, compacted when it has grown. Apply a
 * record to the state before appending it, so that a snapshot always includes it.
 *
 * Lines of one turn of the event loop are written together and survive the process. Concurrent callers of
 * `appendDurable` share one fsync. A torn last line (power loss) is truncated. Any other damage is an error.
 */
export class Journal<R> {
  #lines: Line[] = [];
  /** Texts that wait for the disk. They are written before every later line. */
  #pending: string[] = [];
  #scheduled: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #nextSync: Promise<void> | undefined;
  #compaction: { tail: string[]; done: Promise<void> } | undefined;

  private constructor(
    readonly path: string,
    private readonly options: JournalOptions<R>,
    private fd: number,
    private size: number,
    private lineCount: number,
    private lineLimit: number,
  ) {}

  /** @throws DamagedStateError when a line before the last is not JSON. */
  static async open<R>(path: string, options: JournalOptions<R>): Promise<Journal<R>> {
    const { lines, size } = await replayFile(path, options.replay);
    const fd = openSync(path, 'a');
    ftruncateSync(fd, size);
    const journal = new Journal(path, options, fd, size, lines, 0);
    journal.lineLimit = 2 * [...options.snapshot()].length + (options.slack ?? SLACK);
    return journal;
  }

  /**
   * Resolves when the line is written: it survives the process, but not yet a power loss.
   * @returns false for a line that `mayWait` and is still waiting
   */
  append(record: R, options: AppendOptions = {}): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#lines.push({ text: `${JSON.stringify(record)}\n`, options, resolve, reject });
    this.#schedule();
    return promise;
  }

  /**
   * Like `append`, but resolves when the line is on the disk: it survives a power loss.
   * @returns false for a line that `mayWait` and is still waiting
   */
  async appendDurable(record: R, options: AppendOptions = {}): Promise<boolean> {
    const written = await this.append(record, options);
    if (!written) return false;
    try {
      // A sync under way may have begun before this line was written: share the next one.
      if (this.#syncing) this.#nextSync ??= this.#syncAfter(this.#syncing);
      else this.#syncing = this.#sync();
      await (this.#nextSync ?? this.#syncing);
      return true;
    } catch (error) {
      if (options.mayWait) return false;
      throw error;
    }
  }

  /** Retries the waiting lines. */
  retryPending(): void {
    if (this.#pending.length > 0) this.#schedule();
  }

  /** Writes and syncs the remaining lines, then closes the file. */
  async close(): Promise<void> {
    this.retryPending();
    await this.#scheduled;
    await this.#compaction?.done;
    await Promise.allSettled([this.#nextSync ?? this.#syncing]);
    fdatasyncSync(this.fd);
    closeSync(this.fd);
  }

  async #sync(): Promise<void> {
    try {
      await datasync(this.fd);
    } finally {
      this.#syncing = undefined;
    }
  }

  async #syncAfter(current: Promise<void>): Promise<void> {
    await Promise.allSettled([current]); // its own callers handle a failure
    this.#nextSync = undefined;
    this.#syncing = this.#sync();
    await this.#syncing;
  }

  #schedule(): void {
    this.#scheduled ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#scheduled = undefined;
        this.#flush();
        resolve();
      });
    });
  }

  #flush(): void {
    const lines = this.#lines;
    this.#lines = [];
    try {
      this.#write([...this.#pending, ...lines.map(({ text }) => text)]);
      this.#pending = [];
      for (const { resolve } of lines) resolve(true);
    } catch (error) {
      this.#flushWhatMustNotFail(lines, error);
    }
    if (this.lineCount > this.lineLimit && !this.#compaction) this.#compact();
  }

  /** After a failure lines that may not wait are refused. The others wait, unless the reserve helps. */
  #flushWhatMustNotFail(lines: readonly Line[], error: unknown): void {
    const patient = lines.filter(({ options }) => options.mayWait);
    for (const line of lines) if (!line.options.mayWait) line.reject(error);
    this.#pending.push(...patient.map(({ text }) => text));
    let written = false;
    try {
      if (patient.some(({ options }) => options.usesReserve)) this.options.releaseReserve?.();
      this.#write(this.#pending);
      this.#pending = [];
      written = true;
    } catch {
      // They wait: the caller continues with the state in memory.
    }
    for (const { resolve } of patient) resolve(written);
  }

  #write(texts: readonly string[]): void {
    const text = texts.join('');
    try {
      writeAll(this.fd, text);
    } catch (error) {
      // A full disk must not leave half a line in the middle of the file.
      ftruncateSync(this.fd, this.size);
      throw error;
    }
    this.size += Buffer.byteLength(text);
    this.lineCount += texts.length;
    this.#compaction?.tail.push(text);
  }

  #compact(): void {
    const records = [...this.options.snapshot()];
    const tail: string[] = [];
    const done = this.#rewrite(records, tail)
      .catch(async (error: unknown) => {
        // Half a snapshot must not take the last blocks of a full disk.
        await rm(`${this.path}.new`, { force: true });
        // The long file is still valid: report the failure, and retry when it has grown further.
        this.lineLimit = this.lineCount * 2;
        this.options.onCompactionFailed?.(error);
      })
      .finally(() => (this.#compaction = undefined));
    this.#compaction = { tail, done };
  }

  async #rewrite(records: R[], tail: string[]): Promise<void> {
    const temporary = `${this.path}.new`;
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join('');
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    // The swap is synchronous, so that no line falls between the two files.
    const fd = openSync(temporary, 'a');
    const late = tail.join('');
    writeAll(fd, late);
    fdatasyncSync(fd);
    renameSync(temporary, this.path);
    syncDirectory(dirname(this.path));
    const old = this.fd;
    this.fd = fd;
    this.size = Buffer.byteLength(text) + Buffer.byteLength(late);
    this.lineCount = records.length;
    this.lineLimit = 2 * records.length + (this.options.slack ?? SLACK);
    await Promise.allSettled([this.#syncing]);
    closeSync(old);
  }
}

/**
 * Replays the good lines of a file, if it exists, without changing it.
 * @returns the number of lines and of their bytes
 * @throws DamagedStateError
 */
export async function replayFile<R>(
  path: string,
  replay: (record: R) => void,
): Promise<{ lines: number; size: number }> {
  const lines = await readLines(path);
  let size = 0;
  for (const [index, line] of lines.entries()) {
    const record = parseLine<R>(line);
    if (record === undefined) {
      if (lines.slice(index + 1).some((later) => parseLine(later) !== undefined)) {
        throw new DamagedStateError(
          `${path} is damaged in line ${index + 1}: restore the file, or move it away to start without its memory`,
        );
      }
      return { lines: index, size };
    }
    replay(record);
    size += Buffer.byteLength(line) + 1;
  }
  return { lines: lines.length, size };
}

async function readLines(path: string): Promise<string[]> {
  try {
    const text = await readFile(path, 'utf8');
    return text === '' ? [] : text.replace(/\n$/, '').split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function parseLine<R>(line: string): R | undefined {
  try {
    return JSON.parse(line) as R;
  } catch {
    return undefined; // the caller distinguishes a torn end from damage
  }
}

function writeAll(fd: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest));
}
