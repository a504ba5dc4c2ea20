import { z } from 'zod';

const TOKEN = /^[A-Za-z0-9_-]{1,128}$/;

/** One token of a NATS subject. The name of a NATS user has the same form, as it is part of inbox subjects. */
export const SubjectToken = z.string().regex(TOKEN, 'letters, digits, _ and -, at most 128');

/** The value is not a token of a NATS subject. NATS would not accept a message under it. */
export class IllegalSubject extends Error {
  override readonly name = 'IllegalSubject';

  constructor(token: unknown) {
    super(`not a token of a NATS subject: ${JSON.stringify(token)?.slice(0, 200)}`);
  }
}

/**
 * Joins tokens with dots to a subject. All subjects are made by this function or by {@link subjectPattern}.
 * @throws IllegalSubject when a token is empty, longer than 128, or has any character but letters, digits, _ and -
 */
export function subjectOf(...tokens: readonly (string | number)[]): string {
  for (const token of tokens) if (!TOKEN.test(String(token))) throw new IllegalSubject(token);
  return tokens.join('.');
}

/**
 * Joins tokens to a pattern, for a subscription or a permission. A token may be `*`, and the last one `>`.
 * @throws IllegalSubject as {@link subjectOf} does
 */
export function subjectPattern(...tokens: readonly string[]): string {
  const legal = (token: string, index: number) =>
    token === '*' || (token === '>' && index === tokens.length - 1) || TOKEN.test(token);
  for (const [index, token] of tokens.entries()) if (!legal(token, index)) throw new IllegalSubject(token);
  return tokens.join('.');
}

/** The prefix of the inboxes of a NATS user. The server denies subscriptions by other users. */
export function inboxPrefix(user: string): string {
  return subjectOf('_INBOX', user);
}

/**
 * The subject token of a zone or image. Their names may have dots: `ubuntu-22.04` becomes `ubuntu-22_04`.
 */
export function tokenOfName(name: string): string {
  return name.replaceAll('.', '_');
}
