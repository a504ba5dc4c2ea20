/** Encodes and decodes the envelope: JSON in UTF-8, in the shapes of contracts/envelope. */
import { RawBody } from '@novacron/contracts/envelope';
import { ServiceError, isErrorCode, type FieldError, type ReadAt } from '@novacron/contracts/errors';
import { WrongFields } from '@novacron/contracts/validation';
import type { z } from 'zod';

/** Milliseconds that the caller of a direct request still waits; an envelope has a field for it. */
export const REMAINING_HEADER = 'Novacron-Remaining-Ms';

/** The retry hint when no service was there to give one. */
export const RETRY_AFTER_MS = 1_000;

const encoder = new TextEncoder();

/** The JSON value of a message. @throws ServiceError `invalid_request` when it is not JSON */
export function decodeJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw new ServiceError('invalid_request', 'The message is not JSON', {
      cause,
      errors: [{ path: '', message: 'not JSON' }],
    });
  }
}

export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

const BODY_KEY = ',"body":';

/** A reply as JSON with the body last. A body that is JSON text already is not parsed. */
export function encodeReply(reply: object): Uint8Array {
  if (!('body' in reply)) return encodeJson(reply);
  const { body, ...head } = reply;
  const json = body instanceof RawBody ? body.json : JSON.stringify(body);
  return encoder.encode(`${JSON.stringify(head).slice(0, -1)}${BODY_KEY}${json ?? 'null'}}`);
}

/** Splits a reply at its body, which stays bytes. The head contains no text of users, so the split is safe. */
export function splitReply(bytes: Uint8Array): { head: Record<string, unknown>; body: Buffer } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = buffer.indexOf(BODY_KEY);
  if (at < 0) return { head: replyOrThrow(bytes), body: Buffer.alloc(0) };
  const head = replyOrThrow(Buffer.concat([buffer.subarray(0, at), Buffer.from('}')]));
  return { head, body: buffer.subarray(at + BODY_KEY.length, -1) };
}

/** Parses or throws `invalid_request` with a JSON Pointer below `prefix` for wrong fields, as `WrongFields` bounds them. */
export function validated<S extends z.ZodType>(schema: S, value: unknown, prefix = ''): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new WrongFields().add(parsed.error.issues, prefix).error();
}

/** The `{ok:false, …}` of an error. Any error but a ServiceError becomes `internal` without details. */
export function errorReply(error: unknown): object {
  if (!(error instanceof ServiceError)) {
    return { ok: false, code: 'internal', detail: 'Something went wrong; the log of the service has it' };
  }
  const { code, detail, errors, retryAfterMs, readAt } = error;
  return { ok: false, code, detail, errors, retryAfterMs, readAt };
}

const REFUSAL = Buffer.from('{"ok":false');

/** Whether an encoded reply is an error, without parsing it. */
export function isRefusal(bytes: Uint8Array): boolean {
  return REFUSAL.equals(bytes.subarray(0, REFUSAL.length));
}

/** Returns a successful reply. @throws ServiceError the error of the reply */
export function replyOrThrow(bytes: Uint8Array): Record<string, unknown> {
  const reply = decodeJson(bytes) as Record<string, unknown> | null;
  if (typeof reply !== 'object' || reply === null || typeof reply['ok'] !== 'boolean') {
    throw new ServiceError('internal', 'The answer has an unknown shape');
  }
  if (reply['ok']) return reply;
  const { code, detail, errors, retryAfterMs, readAt } = reply;
  if (typeof code !== 'string' || !isErrorCode(code)) {
    throw new ServiceError('internal', 'The answer has an unknown error code', { cause: code });
  }
  throw new ServiceError(code, typeof detail === 'string' ? detail : '', {
    ...(Array.isArray(errors) ? { errors: errors as FieldError[] } : {}),
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    ...(readAt === undefined ? {} : { readAt: readAt as ReadAt }),
  });
}
