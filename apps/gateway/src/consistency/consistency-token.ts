import { createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ServiceError } from '@novacron/contracts/errors';
import type { Position } from '@novacron/contracts/position';

const VERSION = 1;
/** version byte, system identifier (8), timeline (4), LSN (8) */
const PAYLOAD = 21;
/** The left half of a SHA-256 HMAC, the shortest that RFC 2104 advises. */
const MAC = 16;
const KEPT = 20_000;

/** Positions as clients carry them: opaque, and signed, so that no client can make a read wait for a position that never existed. */
export class ConsistencyTokens {
  /** Texts that were verified lately: a client presents the same one again and again. */
  readonly #verified = new LRUCache<string, Position>({ max: KEPT });
  readonly #texts = new WeakMap<Position, string>();

  constructor(private readonly key: Buffer) {}

  sign(position: Position): string {
    const known = this.#texts.get(position);
    if (known !== undefined) return known;
    const text = this.encode(position);
    this.#texts.set(position, text);
    return text;
  }

  /** @throws ServiceError `invalid_token` when no gateway with this key signed it. */
  verify(text: string): Position {
    const known = this.#verified.get(text);
    if (known !== undefined) return known;
    const position = this.decode(text);
    this.#verified.set(text, position);
    this.#texts.set(position, text);
    return position;
  }

  private encode(position: Position): string {
    const token = Buffer.allocUnsafe(PAYLOAD + MAC);
    token.writeUInt8(VERSION, 0);
    token.writeBigUInt64BE(BigInt(position.systemId), 1);
    token.writeUInt32BE(position.timeline, 9);
    token.writeBigUInt64BE(position.lsn, 13);
    this.mac(token.subarray(0, PAYLOAD)).copy(token, PAYLOAD, 0, MAC);
    return token.toString('base64url');
  }

  private decode(text: string): Position {
    const token = Buffer.from(text, 'base64url');
    // Re-encoding refuses the other spellings that base64 decoders let through.
    const wellFormed =
      token.length === PAYLOAD + MAC && token[0] === VERSION && token.toString('base64url') === text;
    if (
      !wellFormed ||
      !timingSafeEqual(token.subarray(PAYLOAD), this.mac(token.subarray(0, PAYLOAD)).subarray(0, MAC))
    ) {
      throw new ServiceError(
        'invalid_token',
        'NovaCron-Consistency-Token was not made by this installation.',
        {
          errors: [
            { path: '/header/NovaCron-Consistency-Token', message: 'not a token of this installation' },
          ],
        },
      );
    }
    return {
      systemId: token.readBigUInt64BE(1).toString(),
      timeline: token.readUInt32BE(9),
      lsn: token.readBigUInt64BE(13),
    };
  }

  private mac(payload: Buffer): Buffer {
    return createHmac('sha256', this.key).update(payload).digest();
  }
}
