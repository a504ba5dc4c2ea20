import type { z } from 'zod';
import { ServiceError, type FieldError } from './errors.js';

/** The maximum number of wrong fields that an error names. It counts the others. */
export const MAX_NAMED_FIELDS = 20;
/** The maximum length of a JSON Pointer in an error. A key may be as long as the body. */
const MAX_PATH = 200;

/** Collects the wrong fields of one request. It names the first {@link MAX_NAMED_FIELDS} and counts all. */
export class WrongFields {
  readonly named: FieldError[] = [];
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Adds zod's issues, each with a JSON Pointer below `prefix`. Each unknown key counts as one wrong field. */
  add(issues: readonly z.core.$ZodIssue[], prefix = ''): this {
    for (const issue of issues) {
      if (issue.code === 'unrecognized_keys') this.#addUnknown(issue.keys, [prefix, ...issue.path]);
      else this.addField([prefix, ...issue.path], issue.message);
    }
    return this;
  }

  /** Adds one wrong field. @param path the prefix of its JSON Pointer, then unescaped tokens */
  addField(path: readonly PropertyKey[], message: string): this {
    this.#total += 1;
    if (this.named.length < MAX_NAMED_FIELDS) this.named.push({ path: pointer(path), message });
    return this;
  }

  /** `invalid_request` with the named fields. Its detail counts the rest. @param what a prefix of the detail */
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

/** Parses the value. @throws ServiceError `invalid_request` with the {@link WrongFields} */
export function parseOrThrow<S extends z.ZodType>(schema: S, value: unknown, what: string): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new WrongFields().add(parsed.error.issues).error(what);
}

function pointer([prefix, ...tokens]: readonly PropertyKey[]): string {
  const path = String(prefix) + tokens.map((token) => `/${escaped(String(token))}`).join('');
  return path.length <= MAX_PATH ? path : `${path.slice(0, MAX_PATH - 1)}…`;
}

/** Escapes a token (RFC 6901 §3), cut to the length that the path shows. */
function escaped(token: string): string {
  return token.slice(0, MAX_PATH).replaceAll('~', '~0').replaceAll('/', '~1');
}

function count(fields: number): string {
  return fields.toLocaleString('en-US');
}
