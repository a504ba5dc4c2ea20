import { ServiceError } from '@novacron/contracts/errors';
import type { RequestMeta } from '@novacron/contracts/envelope';
import { bodyHash } from '../reads/canonical-json.js';

const KEY = /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/**
 * The key that the service stores with the effect.
 * @param key the Idempotency-Key header
 * @param route {@link effectOf} the request
 * @throws ServiceError `invalid_request` for a key that is empty, over 255 characters or not printable ASCII
 */
export function idempotencyOf(key: string, route: string, body: unknown): RequestMeta['idempotency'] {
  if (!KEY.test(key)) {
    throw new ServiceError('invalid_request', 'Idempotency-Key is not valid.', {
      errors: [{ path: '/header/Idempotency-Key', message: '1 to 255 printable ASCII characters' }],
    });
  }
  return { key, route, bodyHash: bodyHash(body ?? null) };
}

/**
 * The effect of a request: `POST /api/v1/vms/<id>/actions/start`. It consists of the route's pattern and its parsed
 * parameters. So a key used on two VMs is two keys, and every spelling of one URL (trailing slash, percent-encoding, an
 * id in upper case) is one.
 */
export function effectOf({ method, path }: { method: string; path: string }, params: unknown): string {
  const values = (params ?? {}) as Readonly<Record<string, unknown>>;
  return `${method} ${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(values[name]))}`;
}
