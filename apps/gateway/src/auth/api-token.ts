import { createHmac, randomBytes } from 'node:crypto';

const PREFIX = 'nvc_';
/** Also without the prefix: an operator who seeds an installation may supply their own token. No dots: those are JWTs. */
const FORM = /^[A-Za-z0-9_-]{32,200}$/;

/** A new API token: 256 random bits as text. Shown once; only its hash is kept. */
export function newApiToken(): string {
  return PREFIX + randomBytes(32).toString('base64url');
}

/** Whether a text has the form of a token, so that the database looks up no other text. */
export function isApiToken(text: string): boolean {
  return FORM.test(text);
}

/**
 * What is stored of a token. A keyed hash, not a slow one: 256 random bits need no stretching, and a reader of the
 * table cannot use what it contains.
 */
export function hashApiToken(key: Buffer, token: string): Buffer {
  return createHmac('sha256', key).update(token).digest();
}
