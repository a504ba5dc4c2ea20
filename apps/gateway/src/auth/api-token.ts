import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'nvc_';
/** Also without the prefix: whoever seeds an installation may bring a token of his own. No dots: those are JWTs. */
const FORM = /^[A-Za-z0-9_-]{32,200}$/;

/** A new API token: 256 random bits as text. Shown once; only its hash is kept. */
export function newApiToken(): string {
  return PREFIX + randomBytes(32).toString('base64url');
}

/** Whether a text can be one of our tokens, so that nothing is looked up for what cannot. */
export function isApiToken(text: string): boolean {
  return FORM.test(text);
}

/**
 * What is stored of a token. A keyed hash, not a slow one: 256 random bits need no stretching, and whoever
 * reads the table cannot use what it holds.
 */
export function hashApiToken(key: Buffer, token: string): Buffer {
  return createHmac('sha256', key).update(token).digest();
}
