import { z } from 'zod';

const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

/** One token of a NATS subject, and the name of a NATS user, which is part of its inboxes. */
export const SubjectToken = z.string().regex(TOKEN, 'letters, digits, _ and -, at most 128');

/** A value that may not be part of a NATS subject: a message under it could never be published. */
export class IllegalSubject extends Error {
  override readonly name = 'IllegalSubject';

  constructor(token: unknown) {
    super(`not a token of a NATS subject: ${JSON.stringify(token)?.slice(0, 200)}`);
  }
}

/**
 * The only way to a subject: its tokens, joined by dots. Numbers stand for themselves.
 * @throws IllegalSubject when a token is empty, longer than 128, or has any character but letters, digits, _ and -
 */
export function subjectOf(...tokens: readonly (string | number)[]): string {
  for (const token of tokens) if (!TOKEN.test(String(token))) throw new IllegalSubject(token);
  return tokens.join('.');
}

/**
 * A subject to subscribe to, or to grant: a token may be `*`, and the last one `>`.
 * @throws IllegalSubject as {@link subjectOf} does
 */
export function subjectPattern(...tokens: readonly string[]): string {
  const legal = (token: string, index: number) =>
    token === '*' || (token === '>' && index === tokens.length - 1) || TOKEN.test(token);
  for (const [index, token] of tokens.entries()) if (!legal(token, index)) throw new IllegalSubject(token);
  return tokens.join('.');
}

/** The prefix of the inboxes of a NATS user: the server lets nobody else listen to them. */
export function inboxPrefix(user: string): string {
  return subjectOf('_INBOX', user);
}

/**
 * The one token that stands for a name of a zone or image, which may have dots: `ubuntu-22.04` is `ubuntu-22_04`.
 */
export function tokenOfName(name: string): string {
  return name.replaceAll('.', '_');
}
