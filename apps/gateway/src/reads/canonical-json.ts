import { hash } from 'node:crypto';

/**
 * JSON with the keys of every object in order, so that two spellings of one value are one text. It takes the output of a
 * schema: plain objects, arrays, strings, finite numbers, booleans and null. It omits undefined.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`).join(',')}}`;
}

/** SHA-256 of the canonical JSON, in hexadecimal. */
export function bodyHash(body: unknown): string {
  return hash('sha256', canonicalJson(body), 'hex');
}
