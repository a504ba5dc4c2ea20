/** What one NATS message holds: `max_payload` of the servers that this project starts. */
export const MESSAGE_BYTES = 1_048_576;

/** What a reply may take of a message: the rest is for the protocol. */
export const REPLY_BYTES = MESSAGE_BYTES - 16_384;

/** What the items of one page may take: a page ends before the item that would not fit. */
export const PAGE_BYTES = MESSAGE_BYTES / 2;

/** What a console log may take as JSON text, where a control character is six bytes. */
export const CONSOLE_BYTES = (MESSAGE_BYTES / 4) * 3;

/**
 * Why a reply fits one message, however much there is to tell:
 * - `bounded`: its schema bounds every part.
 * - `paged`: it ends early, with a cursor for the rest, and its schema bounds each item.
 * - `refused`: nothing bounds it, and the server answers `answer_too_large` instead of a reply that does not fit.
 */
export type ReplySize = 'bounded' | 'paged' | 'refused';

/** The bytes of the text as a JSON string, with its quotes. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** The longest end of the text that takes at most `maxBytes` as a JSON string, and splits no character. */
export function jsonTail(text: string, maxBytes: number): string {
  if (jsonBytes(text) <= maxBytes) return text;
  // Half of a pair takes more bytes than the pair: only whole characters get smaller with each one that is cut.
  const from = (index: number) => text.slice(splitsPair(text, index) ? index - 1 : index);
  let [tooFew, enough] = [0, text.length];
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (jsonBytes(from(middle)) <= maxBytes) enough = middle;
    else tooFew = middle;
  }
  return from(enough);
}

/** Whether a text of this size was probably cut by {@link jsonTail}: the next character would not have fitted. */
export function looksCut(text: string, maxBytes: number): boolean {
  return jsonBytes(text) > maxBytes - LARGEST_CHARACTER;
}

/** `\\ud83d\\ude00`: what a pair of surrogates can take at most. */
const LARGEST_CHARACTER = 12;

/** Whether a cut before this index would leave half of a surrogate pair. */
function splitsPair(text: string, index: number): boolean {
  const isIn = (unit: number, first: number) => unit >= first && unit < first + 0x400;
  return isIn(text.charCodeAt(index), 0xdc00) && isIn(text.charCodeAt(index - 1), 0xd800);
}
