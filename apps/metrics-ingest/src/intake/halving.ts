import { ServiceError } from '@novacron/contracts/errors';
import { codeOf } from '@novacron/postgres/failure';
import type { IntakeMessage } from './incoming.js';

/** A single message may exceed the statement timeout this often before it is dead-lettered. */
const SLOW_ATTEMPTS = 3;

/** The part of a writer that {@link writeInHalves} uses. */
export interface HalvingWriter {
  write(messages: readonly IntakeMessage[]): Promise<void>;
  deadLetter(message: IntakeMessage, error: string): Promise<void>;
}

/**
 * Writes messages in order. A write that fails because of its content, or exceeds the statement timeout, is not retried
 * unchanged. Each half is written by itself, down to the one message that fails alone. That message is dead-lettered,
 * so that the ingester continues behind it.
 * @param onDeadLettered called with each dead-lettered message and its error
 * @throws the first error with another cause: a lost connection, a lost lease
 */
export async function writeInHalves(
  messages: readonly IntakeMessage[],
  writer: HalvingWriter,
  onDeadLettered: (message: IntakeMessage, error: unknown) => void,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await writer.write(messages);
    } catch (error) {
      const fault = faultOf(error);
      if (fault === 'elsewhere') throw error;
      const [first] = messages;
      if (messages.length > 1) {
        const middle = Math.ceil(messages.length / 2);
        await writeInHalves(messages.slice(0, middle), writer, onDeadLettered);
        return writeInHalves(messages.slice(middle), writer, onDeadLettered);
      }
      if (!first) return;
      // The server may cause one slow attempt. If the server stays slow, dead-lettering the message fails as well.
      if (fault === 'too_slow' && attempt < SLOW_ATTEMPTS) continue;
      await writer.deadLetter(first, String(error).replaceAll('\0', ''));
      onDeadLettered(first, error);
      return;
    }
  }
}

/**
 * Whether the messages cause the error. SQLSTATE classes 22 (data), 23 (constraints), 54 (limits of the program) and P0
 * (raised by a function) concern the content. So do bugs of this process that a message triggers.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function faultOf(error: unknown): 'messages' | 'too_slow' | 'elsewhere' {
  if (error instanceof TypeError || error instanceof RangeError) return 'messages';
  // Without a cause from Postgres the server did not answer.
  if (error instanceof ServiceError) return codeOf(error.cause) === '57014' ? 'too_slow' : 'elsewhere';
  return /^(22|23|54|P0)...$/.test(codeOf(error) ?? '') ? 'messages' : 'elsewhere';
}
