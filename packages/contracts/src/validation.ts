import type { z } from 'zod';
import { ServiceError, type FieldError } from './errors.js';

/** Wrong fields that an error names; of the others it says how many there are. */
export const MAX_NAMED_FIELDS = 20;
/** Characters of a JSON Pointer in an error: a key may be as long as the body. */
const MAX_PATH = 200;

/** Collects the wrong fields of one request. Names the first {@link MAX_NAMED_FIELDS}, and counts all. */
export class WrongFields {
  readonly named: FieldError[] = [];
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Adds zod's issues, each with a JSON Pointer below `prefix`. Each unknown key is a wrong field of its own. */
  add(issues: readonly z.core.$ZodIssue[], prefix = ''): this {
    for (const issue of issues) {
      if (issue.code === 'unrecognized_keys') this.#addUnknown(issue.keys, [prefix, ...issue.path]);
      else this.addField([prefix, ...issue.path], issue.message);
    }
    return this;
  }

  /** Adds one wrong field. @param path its JSON Pointer's prefix, and the unescaped tokens after it */
  addField(path: readonly PropertyKey[], message: string): this {
    this.#total += 1;
    if (this.named.length < MAX_NAMED_FIELDS) this.named.push({ path: pointer(path), message });
    return this;
  }

  /** `invalid_request` with the named fields. Its detail counts the rest. @param what precedes the count */
  error(what = ''): ServiceError {
    const fields = this.#total === 1 ? '1 field is wrong' : `${count(this.#total)} fields are wrong`;
    const rest = this.#total - this.named.length;
    const detail =
      rest === 0 ? `${fields}.` : `${fields}: ${this.named.length} are named, and ${count(rest)} more.`;
    return new ServiceError('invalid_request', what === '' ? detail : `${what}: ${detail}`, {
      errors: this.named,
    });
  }

  #addUnknown(keys: readonly string[], path: readonly PropertyKey[]): void {
    const room = MAX_NAMED_FIELDS - this.named.length;
    for (const key of keys.slice(0, room)) {
      this.named.push({ path: pointer([...path, key]), message: 'unknown field' });
    }
    this.#total += keys.length;
  }
}

/** Parses or throws `invalid_request` that names wrong fields, as {@link WrongFields} bounds them. */
export function parseOrThrow<S extends z.ZodType>(schema: S, value: unknown, what: string): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new WrongFields().add(parsed.error.issues).error(what);
}

function pointer([prefix, ...tokens]: readonly PropertyKey[]): string {
  const path = String(prefix) + tokens.map((token) => `/${escaped(String(token))}`).join('');
  return path.length <= MAX_PATH ? path : `${path.slice(0, MAX_PATH - 1)}…`;
}

/** RFC 6901 §3, of no more of a key than is shown. */
function escaped(token: string): string {
  return token.slice(0, MAX_PATH).replaceAll('~', '~0').replaceAll('/', '~1');
}

function count(fields: number): string {
  return fields.toLocaleString('en-US');
}
