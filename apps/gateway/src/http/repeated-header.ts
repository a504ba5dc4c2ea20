/** Node keeps the first of these headers and some proxies the last, so a repeated one is ambiguous (RFC 9110 §5.3). */
const ONCE = new Set(['host', 'authorization', 'content-type', 'content-length']);
const LENGTHS = new Set([...ONCE].map(({ length }) => length));

/**
 * The name of a header that was sent more than once and must not be; undefined without one.
 * @param raw names and values in turn, as Node's `rawHeaders`
 */
export function repeatedHeader(raw: readonly string[]): string | undefined {
  let seen: Set<string> | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (!LENGTHS.has(name.length)) continue;
    const known = name.toLowerCase();
    if (!ONCE.has(known)) continue;
    seen ??= new Set();
    if (seen.has(known)) return name;
    seen.add(known);
  }
  return undefined;
}
