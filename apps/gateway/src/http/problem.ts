import { ERRORS, ServiceError, type ErrorCode } from '@novacron/contracts/errors';
import type { Problem } from '@novacron/contracts/problem';

/** The page of an error code, relative to whatever address the client reached us by (RFC 9457 §3.1.1). */
export function problemType(code: ErrorCode): string {
  return `/errors/${code}`;
}

/** What a client sees of an error: nothing but the code's row, the public detail and the fields. */
export function toProblem(error: ServiceError, requestId: string): Problem {
  const { status, title, retryable } = ERRORS[error.code];
  return {
    type: problemType(error.code),
    title,
    status,
    code: error.code,
    detail: error.detail,
    requestId,
    retryable,
    ...(error.errors === undefined ? {} : { errors: [...error.errors] }),
  };
}

/** Fastify's own refusals, by its code. */
const REFUSALS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send the body as application/json.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['body_too_large', 'The body is larger than this route takes.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['malformed_request', 'Content-Length is not the length of the body.'],
  Z_DATA_ERROR: ['malformed_request', 'The body is not gzip, as Content-Encoding says.'],
  Z_BUF_ERROR: ['malformed_request', 'The body ends before its gzip does.'],
  FST_ERR_BAD_URL: ['malformed_request', 'The path is not a valid URL.'],
  FST_ERR_HANDLER_TIMEOUT: ['deadline_exceeded', 'Not answered in time.'],
};

/** Any error as one of the table; what is not in it becomes `internal`, with the error as the cause for the log. */
export function asServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const refusal = REFUSALS[(error as { code?: string } | null)?.code ?? ''];
  if (refusal !== undefined) return new ServiceError(refusal[0], refusal[1], { cause: error });
  return new ServiceError(
    'internal',
    'Something went wrong on our side. Quote the requestId when you report it.',
    {
      cause: error,
    },
  );
}

/** Seconds for Retry-After, at least one; undefined when the error does not say when to come back. */
export function retryAfterSeconds(error: ServiceError): number | undefined {
  if (error.retryAfterMs !== undefined) return Math.max(1, Math.ceil(error.retryAfterMs / 1000));
  const { status } = ERRORS[error.code];
  return status === 503 || status === 429 ? 1 : undefined;
}
