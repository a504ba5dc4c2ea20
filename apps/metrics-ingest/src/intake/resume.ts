import type { JetStreamManager } from '@nats-io/jetstream';
import type { Leases, StoredPosition } from './leases.js';

export const STREAM = 'METRICS';

/** The state of the stream that the positions belong to. */
export interface StreamState {
  /** When it was created, in JetStream's format. */
  readonly created: string;
  readonly lastSeq: number;
}

export async function streamState(manager: JetStreamManager): Promise<StreamState> {
  const info = await manager.streams.info(STREAM);
  return { created: info.created, lastSeq: info.state.last_seq };
}

/** Where to resume a partition in the stream. */
export interface Resume {
  readonly position: StoredPosition;
  /** Messages stored up to this time are skipped; 0 unless the stream reuses sequences. */
  readonly after: number;
}

/**
 * Compares stored positions with the current stream. A stream that was recreated, or that lost its last messages in a
 * crash, reuses sequences. In that case a new stream generation begins.
 */
export class Resumption {
  readonly #storedAt = new Map<number, Promise<number | undefined>>();

  /** @param stream its state after the positions were read; in an older state messages would seem lost */
  constructor(
    private readonly manager: JetStreamManager,
    private readonly leases: Leases,
    private readonly stream: StreamState,
  ) {}

  async of(stored: StoredPosition): Promise<Resume> {
    const { created, lastSeq } = this.stream;
    if (stored.stream !== created) return this.#newGeneration(stored, 0);
    if (stored.seq === 0) return { position: stored, after: stored.messageAt };
    // Stored messages are recognised by time, since new messages may already have the sequences of lost ones.
    if (stored.seq > lastSeq) return this.#newGeneration(stored, stored.messageAt);
    const there = await this.#timeOf(stored.seq);
    const same = there === undefined || there === stored.messageAt;
    return same ? { position: stored, after: 0 } : this.#newGeneration(stored, stored.messageAt);
  }

  async #newGeneration(stored: StoredPosition, after: number): Promise<Resume> {
    return { position: await this.leases.beginGeneration(stored, this.stream.created, after), after };
  }

  /** When the message at a sequence was stored; undefined when the stream no longer has it. */
  #timeOf(seq: number): Promise<number | undefined> {
    let time = this.#storedAt.get(seq);
    if (!time) {
      time = this.manager.streams.getMessage(STREAM, { seq }).then((message) => message?.time.getTime());
      this.#storedAt.set(seq, time);
    }
    return time;
  }
}
