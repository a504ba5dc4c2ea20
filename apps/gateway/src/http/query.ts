import { parse } from 'node:querystring';
import { ServiceError } from '@novacron/contracts/errors';
import type { ListStyle } from '@novacron/contracts/operation';

/** Characters of a query, and its parameters. The longest useful list query is half as long. */
const MAX_URL = 16_384;
const MAX_PARAMETERS = 100;

type Query = Record<string, unknown>;

/** Stands for a query with too many parameters, which the gateway does not parse. */
const REFUSED: Query = Object.freeze({});

/** Fastify's parser of query strings. It must not throw: {@link requireQuery} does, where errors are answered. */
export function parseQuery(text: string): Query {
  if (text.length > MAX_URL) return REFUSED;
  let parameters = 1;
  for (let i = text.indexOf('&'); i !== -1; i = text.indexOf('&', i + 1)) parameters += 1;
  return parameters > MAX_PARAMETERS ? REFUSED : parse(text, '&', '=', { maxKeys: 0 });
}

/** The parsed query. @throws ServiceError `invalid_request` for one that {@link parseQuery} refused */
export function requireQuery(query: unknown): Query {
  if (query !== REFUSED) return query as Query;
  const message = `at most ${MAX_PARAMETERS} parameters and ${MAX_URL.toLocaleString('en-US')} characters`;
  throw new ServiceError('invalid_request', 'The query is too long.', {
    errors: [{ path: '/query', message }],
  });
}

/** The parsed query string with its list parameters as arrays, as the schemas expect them. */
export function normalizeQuery(
  query: Readonly<Query>,
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
