import { Injectable } from '@nestjs/common';
import { DomainEvent, eventSubject } from '@novacron/contracts/events';
import { ServiceError } from '@novacron/contracts/errors';
import { parsePosition } from '@novacron/contracts/position';
import { DrainCoordinator } from '@novacron/service-kit/drain';
import type { Requester } from '../reads/requester.js';
import { Bell } from './bell.js';
import { Changes } from './changes.js';
import { ReadTurns } from './read-turns.js';
import type { Release } from './wait-slots.js';

const READ_AGAIN_MS = 1_000;

/** `not_yet`: the wait goes on. */
export type Verdict = 'reached' | 'unreachable' | 'not_yet';

export interface Waiting<T> {
  readonly kind: 'vm' | 'job';
  readonly id: string;
  readonly timeoutMs: number;
  /** Reads the object at the requester's position. */
  readonly read: (deadlineMs: number) => Promise<T>;
  /** The object in an event's data; null when the data is not such an object. */
  readonly decode: (data: unknown) => T | null;
  readonly judge: (current: T) => Verdict;
  /** Released when the wait ends. */
  readonly slot: Release;
  /** The object that the caller has already: the wait starts from it when the first read fails in passing. */
  readonly known?: T;
}

export interface Waited<T> {
  /** `gone`: the object existed, and no longer does. */
  readonly outcome: Exclude<Verdict, 'not_yet'> | 'timeout' | 'gone';
  readonly current: T;
}

/** Waits on behalf of requests until an object is in a state. */
@Injectable()
export class Waits {
  constructor(
    private readonly changes: Changes,
    private readonly readTurns: ReadTurns,
    private readonly drain: DrainCoordinator,
  ) {}

  /**
   * Subscribes to the object's events, then reads it, then applies events by version. It also reads again every second,
   * in its turn. The wait ends early with `timeout` when this process drains or the client disconnects.
   * @throws ServiceError of the first read, without a known object; later reads may fail in passing
   */
  async until<T extends { readonly version: number }>(
    requester: Requester,
    waiting: Waiting<T>,
  ): Promise<Waited<T>> {
    const read = (ms: number): Promise<T> => this.readTurns.run(ms, waiting.read);
    try {
      return await this.#follow(requester, { ...waiting, read });
    } finally {
      waiting.slot();
    }
  }

  async #follow<T extends { readonly version: number }>(
    requester: Requester,
    waiting: Waiting<T>,
  ): Promise<Waited<T>> {
    const until = performance.now() + waiting.timeoutMs;
    const left = (): number => Math.max(0, until - performance.now());
    const inbox: DomainEvent[] = [];
    const bell = new Bell();
    const { tenantId } = requester.caller;
    const subject = eventSubject({ tenantId, kind: waiting.kind, resourceId: waiting.id });
    const stopWatching = this.changes.watch(subject, (event) => {
      inbox.push(event);
      bell.ring();
    });
    const draining = this.drain.signal;
    const gone = requester.http.gone();
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
            requester.observe(parsePosition(event.position));
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
}

/** null when the object cannot be read now. */
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
