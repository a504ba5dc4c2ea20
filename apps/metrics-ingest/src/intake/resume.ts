import type { JetStreamManager } from '@nats-io/jetstream';
import type { Leases, StoredPosition } from './leases.js';

export const STREAM = 'METRICS';

/** What partitions are read from: positions are of this stream alone. */
export interface StreamState {
  /** When it was created, as JetStream says it. */
  readonly created: string;
  readonly lastSeq: number;
}

export async function streamState(manager: JetStreamManager): Promise<StreamState> {
  const info = await manager.streams.info(STREAM);
  return { created: info.created, lastSeq: info.state.last_seq };
}

/** A partition with what of the stream it still wants. */
export interface Resume {
  readonly position: StoredPosition;
  /** Messages stored up to this time are not wanted; 0 unless sequences were given out anew. */
  readonly after: number;
}

/**
 * Compares stored positions with the stream that is there now. A stream that was made anew, or that came back
 * from a crash without its last messages, gives sequences out a second time: then a new generation begins.
 */
export class Resumption {
  readonly #storedAt = new Map<number, Promise<number | undefined>>();

  /** @param stream as it is after the positions were read: an older state would seem to have lost messages */
  constructor(
    private readonly manager: JetStreamManager,
    private readonly leases: Leases,
    private readonly stream: StreamState,
  ) {}

  async of(stored: StoredPosition): Promise<Resume> {
    const { created, lastSeq } = this.stream;
    if (stored.stream !== created) return this.#anew(stored, 0);
    if (stored.seq === 0) return { position: stored, after: stored.messageAt };
    // What was stored before is known by its time: new messages may have taken the lost ones' sequences already.
    if (stored.seq > lastSeq) return this.#anew(stored, stored.messageAt);
    const there = await this.#timeOf(stored.seq);
    const same = there === undefined || there === stored.messageAt;
    return same ? { position: stored, after: 0 } : this.#anew(stored, stored.messageAt);
  }

  async #anew(stored: StoredPosition, after: number): Promise<Resume> {
    return { position: await this.leases.adopt(stored, this.stream.created, after), after };
  }

  /** When the message at a sequence was stored; undefined when it is there no more. */
  #timeOf(seq: number): Promise<number | undefined> {
    let time = this.#storedAt.get(seq);
    if (!time) {
      time = this.manager.streams.getMessage(STREAM, { seq }).then((message) => message?.time.getTime());
      this.#storedAt.set(seq, time);
    }
    return time;
  }
}
