import { ServiceError, type ErrorCode } from '@novacron/contracts/errors';
import type { JsonLimits } from '@novacron/contracts/operation';

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];

/**
 * Counts what a JSON text consists of, in one pass over its bytes that ends at the first excess. V8 needs up to a
 * second to parse 8 MiB of fields or of brackets. A text that is not JSON passes: the parser refuses it.
 * @throws ServiceError `invalid_request`; `body_too_large` for too many values altogether
 */
export function checkShape(json: Uint8Array, limits: JsonLimits): void {
  const commas = new Int32Array(limits.depth + 1);
  const isObject = new Uint8Array(limits.depth + 1);
  let depth = 0;
  let values = 1;
  for (let i = 0; i < json.length; i++) {
    switch (json[i]) {
      case QUOTE: {
        const end = endOfString(json, i, limits.string);
        if (end - i - 1 > limits.string) throw tooMuch(limits.string, 'bytes in one string');
        i = end;
        break;
      }
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        depth += 1;
        if (depth > limits.depth) throw tooMuch(limits.depth, 'arrays and objects within each other');
        commas[depth] = 0;
        isObject[depth] = json[i] === OPEN_OBJECT ? 1 : 0;
        values += 1;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        if (depth > 0) depth -= 1;
        break;
      case COMMA: {
        const members = (commas[depth] = (commas[depth] as number) + 1) + 1;
        values += 1;
        if (isObject[depth] === 1 && members > limits.fields)
          throw tooMuch(limits.fields, 'fields in one object');
        if (members > limits.items) throw tooMuch(limits.items, 'items in one array');
        break;
      }
      default:
    }
    if (values > limits.values) throw tooMuch(limits.values, 'values in one body', 'body_too_large');
  }
}

/** Where the string that begins at `start` ends; a place more than `most` bytes behind it when it is longer. */
function endOfString(json: Uint8Array, start: number, most: number): number {
  const last = Math.min(json.length, start + most + 2);
  let i = start + 1;
  for (; i < last && json[i] !== QUOTE; i++) if (json[i] === BACKSLASH) i += 1;
  return i;
}

function tooMuch(limit: number, of: string, code: ErrorCode = 'invalid_request'): ServiceError {
  const message = `at most ${limit.toLocaleString('en-US')} ${of}`;
  return new ServiceError(code, `The body has ${message.replace('at most', 'more than')}.`, {
    errors: [{ path: '', message }],
  });
}
