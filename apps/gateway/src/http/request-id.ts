import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const FORM = /^[A-Za-z0-9._~:/+=-]{1,128}$/;

/** The caller's X-Request-Id where it is valid in a log line and a header, otherwise a new one. */
export function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && FORM.test(given) ? given : randomUUID();
}
