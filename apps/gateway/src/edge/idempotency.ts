import { ServiceError } from '@novacron/contracts/errors';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { bodyHash } from './canonical-json.js';

const KEY = /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/**
 * What the service that makes the effect stores with it. The route is the path as it was asked for, so that a
 * key used on two VMs is two keys.
 * @param key the Idempotency-Key header; undefined when there is none
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
