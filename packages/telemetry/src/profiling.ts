import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Session } from 'node:inspector/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const DEFAULT_SECONDS = 10;
const MOST_SECONDS = 60;
/** A sample each millisecond: a minute is some 60,000 of them, a few megabytes. */
const CPU_INTERVAL_US = 1_000;
/** One sample for so many allocated bytes; only those that are still in use are kept. */
const HEAP_INTERVAL_BYTES = 16 * 1024;
/** A client that reads more slowly gets no whole profile: it would keep it, and the one place, for itself. */
const SEND_MS = 60_000;
/** Elements of a list that are written at once. */
const CHUNK = 1_000;

type Kind = 'cpu' | 'heap';
type Record = (session: Session, ms: number, signal: AbortSignal) => Promise<object>;

const RECORD: { readonly [K in Kind]: Record } = {
  async cpu(session, ms, signal) {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: CPU_INTERVAL_US });
    await session.post('Profiler.start');
    await sleep(ms, undefined, { signal });
    return (await session.post('Profiler.stop')).profile;
  },
  async heap(session, ms, signal) {
    await session.post('HeapProfiler.enable');
    await session.post('HeapProfiler.startSampling', { samplingInterval: HEAP_INTERVAL_BYTES });
    await sleep(ms, undefined, { signal });
    return (await session.post('HeapProfiler.stopSampling')).profile;
  },
};

/**
 * CPU and heap profiles of this process on demand, for operators with the token: one at a time, for a minute at most,
 * streamed in the formats of Chrome's developer tools (`.cpuprofile`, `.heapprofile`).
 */
export class Profiling {
  #endsAt: number | undefined;
  readonly #digest: Buffer;

  constructor(
    private readonly service: string,
    token: string,
  ) {
    this.#digest = digest(token);
  }

  /** Answers `GET /profile/<kind>?seconds=N`. A client that goes away ends the profile. */
  async answer(kind: Kind, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET') return refuse(response, 405, 'only GET');
    if (!this.#admits(request.headers.authorization)) {
      response.setHeader('www-authenticate', 'Bearer');
      return refuse(response, 401, 'send Authorization: Bearer with NOVACRON_PROFILING_TOKEN');
    }
    const seconds = secondsOf(request.url ?? '');
    if (seconds === undefined)
      return refuse(response, 400, `seconds is a whole number, 1 to ${MOST_SECONDS}`);
    if (this.#endsAt !== undefined) {
      const left = Math.ceil((this.#endsAt - performance.now()) / 1_000);
      response.setHeader('retry-after', Math.max(1, left));
      return refuse(response, 429, 'a profile is being recorded; one at a time');
    }
    this.#endsAt = performance.now() + seconds * 1_000;
    try {
      await this.#record(kind, seconds, response);
    } finally {
      this.#endsAt = undefined;
    }
  }

  #admits(authorization = ''): boolean {
    const [scheme = '', token = ''] = authorization.split(' ', 2);
    return timingSafeEqual(digest(token), this.#digest) && scheme.toLowerCase() === 'bearer';
  }

  async #record(kind: Kind, seconds: number, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const session = new Session();
    session.connect();
    try {
      const profile = await RECORD[kind](session, seconds * 1_000, gone.signal);
      const name = `${this.service}-${process.pid}-${Date.now()}.${kind}profile`;
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-disposition': `attachment; filename="${name}"`,
        'cache-control': 'no-store',
      });
      await pipeline(Readable.from(json(profile)), response, { signal: AbortSignal.timeout(SEND_MS) });
    } catch (error) {
      if (!gone.signal.aborted) throw error;
    } finally {
      // Ends the recording, too.
      session.disconnect();
    }
  }
}

function secondsOf(url: string): number | undefined {
  const text = new URL(url, 'http://ops').searchParams.get('seconds') ?? String(DEFAULT_SECONDS);
  const seconds = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  return seconds >= 1 && seconds <= MOST_SECONDS ? seconds : undefined;
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(`${why}\n`);
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** The object as JSON, its lists in pieces: a large profile never stands in memory twice. */
function* json(profile: object): Generator<string> {
  let before = '{';
  for (const [key, value] of Object.entries(profile) as [string, unknown][]) {
    yield `${before}${JSON.stringify(key)}:`;
    before = ',';
    if (Array.isArray(value)) yield* list(value);
    else yield JSON.stringify(value);
  }
  yield '}';
}

function* list(values: readonly unknown[]): Generator<string> {
  yield '[';
  for (let at = 0; at < values.length; at += CHUNK) {
    const piece = JSON.stringify(values.slice(at, at + CHUNK)).slice(1, -1);
    yield at === 0 ? piece : `,${piece}`;
  }
  yield ']';
}
