import { ERRORS, ServiceError, type ErrorCode } from '@novacron/contracts/errors';
import type { Problem } from '@novacron/contracts/problem';

/** The page of an error code, relative to the address of the request (RFC 9457 §3.1.1). */
export function problemType(code: ErrorCode): string {
  return `/errors/${code}`;
}

/** The public part of an error: the code's row, the detail and the fields. */
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

/** Errors of Fastify and zlib, by their code. */
const REFUSALS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  Z_DATA_ERROR: ['malformed_request', 'The body is not gzip, as Content-Encoding says.'],
  Z_BUF_ERROR: ['malformed_request', 'The body ends before its gzip does.'],
  FST_ERR_BAD_URL: ['malformed_request', 'The path is not a valid URL.'],
  FST_ERR_HANDLER_TIMEOUT: ['deadline_exceeded', 'Not answered in time.'],
};

/** Any error as one of the table. An unknown error becomes `internal`, with itself as the cause for the log. */
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

/** Seconds for Retry-After, at least one; undefined when the error has no time to retry after. */
export function retryAfterSeconds(error: ServiceError): number | undefined {
  if (error.retryAfterMs !== undefined) return Math.max(1, Math.ceil(error.retryAfterMs / 1000));
  const { status } = ERRORS[error.code];
  return status === 503 || status === 429 ? 1 : undefined;
}
