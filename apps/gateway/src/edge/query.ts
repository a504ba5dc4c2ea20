/** How a parameter that may be given several times is written: `a=1&a=2`, or also `a=1,2`. */
export type ListStyle = 'repeat' | 'comma';

/** The parsed query string with its list parameters as arrays, as the schemas want them. */
export function normalizeQuery(
  query: Readonly<Record<string, unknown>>,
  lists: Readonly<Record<string, ListStyle>> = {},
): Record<string, unknown> {
  const normal: Record<string, unknown> = { ...query };
  for (const [name, style] of Object.entries(lists)) {
    if (normal[name] === undefined) continue;
    const given = ([] as unknown[]).concat(normal[name]).map(String);
    normal[name] = style === 'comma' ? given.flatMap((value) => value.split(',')) : given;
  }
  return normal;
}
