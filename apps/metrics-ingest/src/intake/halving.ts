import { ServiceError } from '@novacron/contracts/errors';
import { codeOf } from '@novacron/postgres/failure';
import type { IntakeMessage } from './incoming.js';

/** So often a message alone may take longer than a statement is allowed, before it is set aside. */
const SLOW_ATTEMPTS = 3;

/** What {@link writeInHalves} needs of a writer. */
export interface HalvingWriter {
  write(messages: readonly IntakeMessage[]): Promise<void>;
  setAside(message: IntakeMessage, error: string): Promise<void>;
}

/**
 * Writes messages in order. A write that fails because of what is in it, or because it is too large for the
 * statement timeout, is not tried again unchanged: each half is written by itself, down to the one message
 * that fails alone. That one is set aside, so that the intake goes on behind it.
 * @param onSetAside told of each message that is set aside, and why
 * @throws the first error that says nothing about the messages: a lost connection, a lost lease
 */
export async function writeInHalves(
  messages: readonly IntakeMessage[],
  writer: HalvingWriter,
  onSetAside: (message: IntakeMessage, error: unknown) => void,
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
        await writeInHalves(messages.slice(0, middle), writer, onSetAside);
        return writeInHalves(messages.slice(middle), writer, onSetAside);
      }
      if (!first) return;
      // One slow attempt may be the server's fault; a server that stays slow fails to set the message aside, too.
      if (fault === 'too_slow' && attempt < SLOW_ATTEMPTS) continue;
      await writer.setAside(first, String(error).replaceAll('\0', ''));
      onSetAside(first, error);
      return;
    }
  }
}

/**
 * What the error says of the messages. SQLSTATE classes 22 (data), 23 (constraints), 54 (limits of the program)
 * and P0 (raised by a function) are about what is written, as are bugs that a message meets in this process.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function faultOf(error: unknown): 'messages' | 'too_slow' | 'elsewhere' {
  if (error instanceof TypeError || error instanceof RangeError) return 'messages';
  // Without a cause of Postgres the server did not answer at all.
  if (error instanceof ServiceError) return codeOf(error.cause) === '57014' ? 'too_slow' : 'elsewhere';
  return /^(22|23|54|P0)...$/.test(codeOf(error) ?? '') ? 'messages' : 'elsewhere';
}
