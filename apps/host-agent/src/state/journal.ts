import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { syncDirectory } from './atomic-file.js';

const datasync = promisify(fdatasync);
const SLACK = 5_000;

/** A state file that cannot be read: the message says which line of which file, and what to do. */
export class DamagedStateError extends Error {
  override readonly name = 'DamagedStateError';
}

export interface JournalOptions<R> {
  /** Takes in one record of the file; called in order while the journal opens. */
  readonly replay: (record: R) => void;
  /** Everything that is known, as records: what a compacted file holds. */
  readonly snapshot: () => Iterable<R>;
  /** Compact when the file holds this many lines more than twice what the last snapshot held. */
  readonly slack?: number;
  readonly onCompactionFailed?: (error: unknown) => void;
  /** Gives space back for lines that `mayWait`; answers whether there was some. */
  readonly releaseReserve?: () => boolean;
}

/** What a caller asks of a line beyond its content. */
export interface AppendOptions {
  /** Where the disk is full or read-only, the line waits in memory until it can be written. */
  readonly mayWait?: boolean;
  /** The line belongs to work that frees resources: before it waits, the reserve is given up for it. */
  readonly usesReserve?: boolean;
}

interface Line {
  readonly text: string;
  readonly options: AppendOptions;
  /** Told whether the line is in the file. */
  readonly resolve: (written: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * An append-only file of JSON lines that is the memory of something: replayed at the start, compacted when it
 * has grown. Apply a record to the memory before appending it, so that a snapshot never misses one.
 *
 * Lines of one turn of the event loop are written together and survive the process; `appendDurable` shares one
 * fsync among all who ask while one is under way. A torn last line (power loss) is cut off; damage before it is not
 * guessed away.
 */
export class Journal<R> {
  #lines: Line[] = [];
  /** Texts that could not be written yet: they go before every later line. */
  #owed: string[] = [];
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
   * @returns false for a line that `mayWait` and has to
   */
  append(record: R, options: AppendOptions = {}): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#lines.push({ text: `${JSON.stringify(record)}\n`, options, resolve, reject });
    this.#schedule();
    return promise;
  }

  /**
   * As `append`, but resolves when the line is on the disk: it survives a power loss.
   * @returns false for a line that `mayWait` and has to
   */
  async appendDurable(record: R, options: AppendOptions = {}): Promise<boolean> {
    const written = await this.append(record, options);
    if (!written) return false;
    try {
      // A sync that is under way may have begun before our line was written: share the next one.
      if (this.#syncing) this.#nextSync ??= this.#syncAfter(this.#syncing);
      else this.#syncing = this.#sync();
      await (this.#nextSync ?? this.#syncing);
      return true;
    } catch (error) {
      if (options.mayWait) return false;
      throw error;
    }
  }

  /** Tries again to write the lines that wait. */
  retryOwed(): void {
    if (this.#owed.length > 0) this.#schedule();
  }

  /** Writes and syncs what is left, then closes the file. */
  async close(): Promise<void> {
    this.retryOwed();
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
    await Promise.allSettled([current]); // whether it failed is its own callers' matter
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
      this.#write([...this.#owed, ...lines.map(({ text }) => text)]);
      this.#owed = [];
      for (const { resolve } of lines) resolve(true);
    } catch (error) {
      this.#flushWhatMustNotFail(lines, error);
    }
    if (this.lineCount > this.lineLimit && !this.#compaction) this.#compact();
  }

  /** After a failure: lines that may not wait are refused; the others wait, unless the reserve helps. */
  #flushWhatMustNotFail(lines: readonly Line[], error: unknown): void {
    const patient = lines.filter(({ options }) => options.mayWait);
    for (const line of lines) if (!line.options.mayWait) line.reject(error);
    this.#owed.push(...patient.map(({ text }) => text));
    let written = false;
    try {
      if (patient.some(({ options }) => options.usesReserve)) this.options.releaseReserve?.();
      this.#write(this.#owed);
      this.#owed = [];
      written = true;
    } catch {
      // They wait: the caller goes on with what is in memory.
    }
    for (const { resolve } of patient) resolve(written);
  }

  #write(texts: readonly string[]): void {
    const text = texts.join('');
    try {
      writeAll(this.fd, text);
    } catch (error) {
      // A disk that is full must not leave half a line in the middle of the file.
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
        // The long file is still right: say so, and try again when it has grown further.
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
 * Replays the good lines of a file, if it is there, without touching it.
 * @returns how many lines there were and how many bytes they take.
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
    return undefined; // the caller tells a torn end from damage
  }
}

function writeAll(fd: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) rest = rest.subarray(writeSync(fd, rest));
}
