import { ServiceError } from '@novacron/contracts/errors';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { bodyHash } from '../reads/canonical-json.js';

const KEY = /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/**
 * What the service that makes the effect stores with it.
 * @param key the Idempotency-Key header; undefined when there is none
 * @param route {@link effectOf} the request
 * @throws ServiceError `invalid_request` for a key that is empty, over 255 characters or not printable ASCII
 */
export function idempotencyOf(
  key: string | undefined,
  route: string,
  body: unknown,
): RequestMeta['idempotency'] {
  if (key === undefined) return undefined;
  if (!KEY.test(key)) {
    throw new ServiceError('invalid_request', 'Idempotency-Key is not valid.', {
      errors: [{ path: '/header/Idempotency-Key', message: '1 to 255 printable ASCII characters' }],
    });
  }
  return { key, route, bodyHash: bodyHash(body ?? null) };
}

/**
 * The effect that a request asks for: `POST /api/v1/vms/<id>/actions/start`. Made of the route's pattern and its
 * parsed parameters, so that a key used on two VMs is two keys, and every spelling of one URL (trailing slash,
 * percent-encoding, an id in upper case) is one.
 */
export function effectOf({ method, path }: { method: string; path: string }, params: unknown): string {
  const values = (params ?? {}) as Readonly<Record<string, unknown>>;
  return `${method} ${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(values[name]))}`;
}
