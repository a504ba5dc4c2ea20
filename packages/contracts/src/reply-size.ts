/** The maximum size of a NATS message: `max_payload` of the servers that this project starts. */
export const MESSAGE_BYTES = 1_048_576;

/** The maximum size of a reply. The rest of the message is for the protocol. */
export const REPLY_BYTES = MESSAGE_BYTES - 16_384;

/** The maximum size of the items of a page. A page ends before the item that would exceed it. */
export const PAGE_BYTES = MESSAGE_BYTES / 2;

/** The maximum size of a console log as JSON text, in which a control character is six bytes. */
export const CONSOLE_BYTES = (MESSAGE_BYTES / 4) * 3;

/**
 * Why a reply fits one message:
 * - `bounded`: its schema bounds every part.
 * - `paged`: it ends early, with a cursor for the rest. Its schema bounds each item.
 * - `refused`: its schema has no bound. The server answers `answer_too_large` when the reply is too large.
 */
export type ReplySize = 'bounded' | 'paged' | 'refused';

// Not a Buffer: browsers validate with these schemas too.
const utf8 = new TextEncoder();

/** The bytes of the text as a JSON string, with its quotes. */
export function jsonBytes(text: string): number {
  return utf8.encode(JSON.stringify(text)).length;
}

/** The longest end of the text that has at most `maxBytes` as a JSON string and splits no character. */
export function jsonTail(text: string, maxBytes: number): string {
  if (jsonBytes(text) <= maxBytes) return text;
  // Half of a surrogate pair has more bytes than the pair. The size shrinks only with whole characters.
  const from = (index: number) => text.slice(splitsPair(text, index) ? index - 1 : index);
  let [tooFew, enough] = [0, text.length];
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (jsonBytes(from(middle)) <= maxBytes) enough = middle;
    else tooFew = middle;
  }
  return from(enough);
}

/** Whether {@link jsonTail} probably cut the text: it has less free space than the largest character needs. */
export function looksCut(text: string, maxBytes: number): boolean {
  return jsonBytes(text) > maxBytes - LARGEST_CHARACTER;
}

/** The largest size of a surrogate pair in JSON: `\\ud83d\\ude00`. */
const LARGEST_CHARACTER = 12;

/** Whether a cut before this index would split a surrogate pair. */
function splitsPair(text: string, index: number): boolean {
  const isIn = (unit: number, first: number) => unit >= first && unit < first + 0x400;
  return isIn(text.charCodeAt(index), 0xdc00) && isIn(text.charCodeAt(index - 1), 0xd800);
}
