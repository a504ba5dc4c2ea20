import { eventSubject, type DomainEvent } from '@novacron/contracts/events';
import { ServiceError } from '@novacron/contracts/errors';
import { parsePosition } from '@novacron/contracts/position';
import type { Call } from '../reads/requester.js';
import type { Services } from '../http/services.js';
import type { Release } from './wait-slots.js';

const READ_AGAIN_MS = 1_000;

/** `not_yet`: go on waiting. */
export type Verdict = 'reached' | 'unreachable' | 'not_yet';

export interface Waiting<T> {
  readonly kind: 'vm' | 'job';
  readonly id: string;
  readonly timeoutMs: number;
  /** Reads the object at what the call has seen so far. */
  readonly read: (deadlineMs: number) => Promise<T>;
  /** The object in an event's data; null when it is none. */
  readonly decode: (data: unknown) => T | null;
  readonly judge: (current: T) => Verdict;
  /** Released when the wait ends. */
  readonly slot: Release;
  /** The object as the caller has it already: the wait goes on from it when the first read fails in passing. */
  readonly known?: T;
}

export interface Waited<T> {
  /** `gone`: it was there, and now there is no such object. */
  readonly outcome: Exclude<Verdict, 'not_yet'> | 'timeout' | 'gone';
  readonly current: T;
}

/**
 * Waits until an object is as wanted: listens to its events, then reads it, then applies events by version,
 * and reads again every second, in its turn. Ends early with `timeout` when this process drains or the client has gone.
 * @throws ServiceError what the first read throws, where nothing is known before it; later reads may fail in passing
 */
export async function waitFor<T extends { readonly version: number }>(
  call: Call,
  services: Services,
  waiting: Waiting<T>,
): Promise<Waited<T>> {
  const read = (ms: number): Promise<T> => services.readTurns.run(ms, waiting.read);
  try {
    return await follow(call, services, { ...waiting, read });
  } finally {
    waiting.slot();
  }
}

async function follow<T extends { readonly version: number }>(
  call: Call,
  { changes, draining }: Services,
  waiting: Waiting<T>,
): Promise<Waited<T>> {
  const until = performance.now() + waiting.timeoutMs;
  const left = (): number => Math.max(0, until - performance.now());
  const inbox: DomainEvent[] = [];
  const bell = new Bell();
  const subject = eventSubject({
    tenantId: call.caller.tenantId,
    kind: waiting.kind,
    resourceId: waiting.id,
  });
  const stopWatching = changes.watch(subject, (event) => {
    inbox.push(event);
    bell.ring();
  });
  const gone = call.gone();
  draining.addEventListener('abort', bell.ring);
  gone.addEventListener('abort', bell.ring);
  try {
    const firstMs = Math.max(1_000, Math.min(10_000, waiting.timeoutMs));
    let current: T;
    if (waiting.known === undefined) current = await waiting.read(firstMs);
    else {
      const read = await readAgain(waiting, firstMs);
      if (read === 'gone') return { outcome: 'gone', current: waiting.known };
      current = read ?? waiting.known;
    }
    let readAt = performance.now();
    for (;;) {
      const verdict = waiting.judge(current);
      if (verdict !== 'not_yet') return { outcome: verdict, current };
      if (left() === 0 || draining.aborted || gone.aborted) return { outcome: 'timeout', current };
      await bell.within(Math.min(left(), Math.max(0, readAt + READ_AGAIN_MS - performance.now())));
      const event = inbox.shift();
      if (event !== undefined) {
        const next = event.version > current.version ? waiting.decode(event.data) : null;
        if (next !== null) {
          current = next;
          call.saw(parsePosition(event.position));
        }
        if (inbox.length > 0) bell.ring();
      } else if (performance.now() - readAt >= READ_AGAIN_MS && left() > 0) {
        readAt = performance.now();
        const read = await readAgain(waiting, left());
        if (read === 'gone') return { outcome: 'gone', current };
        if (read !== null && read.version >= current.version) current = read;
      }
    }
  } finally {
    stopWatching();
    draining.removeEventListener('abort', bell.ring);
    gone.removeEventListener('abort', bell.ring);
  }
}

/** Null when it could not be read now. */
async function readAgain<T>(waiting: Waiting<T>, leftMs: number): Promise<T | 'gone' | null> {
  try {
    return await waiting.read(Math.max(1, Math.min(10_000, Math.ceil(leftMs))));
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code === 'not_found') return 'gone';
    if (['dependency_down', 'deadline_exceeded', 'overloaded', 'draining'].includes(error.code)) return null;
    throw error;
  }
}

/** Wakes the one who listens; a ring that nobody heard is kept. */
class Bell {
  private rung = false;
  private wake: (() => void) | null = null;

  readonly ring = (): void => {
    this.rung = true;
    this.wake?.();
  };

  async within(ms: number): Promise<void> {
    if (!this.rung && ms > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.wake = null;
    }
    this.rung = false;
  }
}
