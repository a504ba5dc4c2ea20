/**
 * The closed table of errors that a client may receive. An error's `detail` is public text. Its cause stays in the log
 * of the service.
 */
export const ERRORS = {
  malformed_request: { status: 400, retryable: false, title: 'This is not a valid HTTP request' },
  malformed_json: { status: 400, retryable: false, title: 'The body is not valid JSON' },
  unauthenticated: { status: 401, retryable: false, title: 'A valid token is needed' },
  forbidden: { status: 403, retryable: false, title: 'The token does not allow this' },
  not_found: { status: 404, retryable: false, title: 'There is no such object' },
  method_not_allowed: { status: 405, retryable: false, title: 'This method is not offered here' },
  wait_timeout: { status: 408, retryable: true, title: 'Not reached within the time asked for' },
  name_taken: { status: 409, retryable: false, title: 'The name is taken' },
  vm_busy: { status: 409, retryable: true, title: 'Other work on this VM is in flight' },
  invalid_state: { status: 409, retryable: false, title: 'The state does not allow this' },
  unreachable_state: {
    status: 409,
    retryable: false,
    title: 'The state waited for can no longer be reached',
  },
  quota_exceeded: { status: 409, retryable: false, title: 'The quota does not allow this' },
  idempotency_in_progress: { status: 409, retryable: true, title: 'A request with this key is in progress' },
  job_not_cancellable: { status: 409, retryable: false, title: 'The job can no longer be cancelled' },
  history_lost: { status: 409, retryable: false, title: 'The token is of a history that was lost' },
  precondition_failed: { status: 412, retryable: false, title: 'It has changed since' },
  body_too_large: { status: 413, retryable: false, title: 'The body is too large' },
  unsupported_media_type: { status: 415, retryable: false, title: 'Send JSON' },
  invalid_request: { status: 422, retryable: false, title: 'The request does not fit its schema' },
  idempotency_mismatch: { status: 422, retryable: false, title: 'The key was used with another body' },
  answer_too_large: { status: 422, retryable: false, title: 'The answer is larger than a message may be' },
  unknown_image: { status: 422, retryable: false, title: 'There is no such image in this zone' },
  unknown_zone: { status: 422, retryable: false, title: 'There is no such zone' },
  capability_unsupported: { status: 422, retryable: false, title: 'The driver cannot do this' },
  invalid_token: { status: 422, retryable: false, title: 'The consistency token is not valid' },
  rate_limited: { status: 429, retryable: true, title: 'Too many requests' },
  too_many_waits: { status: 429, retryable: true, title: 'Too many waits at a time' },
  internal: { status: 500, retryable: true, title: 'Something went wrong on our side' },
  overloaded: { status: 503, retryable: true, title: 'At capacity' },
  dependency_down: { status: 503, retryable: true, title: 'Something this needs is not there' },
  deadline_exceeded: { status: 503, retryable: true, title: 'Not answered in time' },
  draining: { status: 503, retryable: true, title: 'This instance is shutting down' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** An error of one field. `path` is a JSON Pointer (RFC 6901). */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** The bounds of a read's position: `position` is the upper one, `holds` the lower one. See `RpcReply`. */
export interface ReadAt {
  readonly position: string;
  readonly holds: string;
}

export interface ServiceErrorOptions {
  readonly errors?: readonly FieldError[];
  readonly retryAfterMs?: number;
  /** The position at which a read found nothing, or a change was refused. */
  readonly readAt?: ReadAt;
  /** For the log only: serializers do not read it. */
  readonly cause?: unknown;
}

/** The only error that crosses services: a code of the table, a public text, and when to retry. */
export class ServiceError extends Error {
  readonly errors: readonly FieldError[] | undefined;
  readonly retryAfterMs: number | undefined;
  readonly readAt: ReadAt | undefined;

  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
    options: ServiceErrorOptions = {},
  ) {
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ServiceError';
    this.errors = options.errors;
    this.retryAfterMs = options.retryAfterMs;
    this.readAt = options.readAt;
  }

  /** A copy of the error with a position. */
  asOf(readAt: ReadAt): ServiceError {
    const { code, detail, errors, retryAfterMs, cause } = this;
    return new ServiceError(code, detail, {
      readAt,
      ...(errors === undefined ? {} : { errors }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
