import type { ErrorCode } from '@novacron/contracts/errors';

/** The text of each error's page: its meaning, and the caller's next step. */
export const ADVICE: Record<ErrorCode, string> = {
  malformed_request:
    'The request could not be parsed as HTTP, or did not arrive in time. Check the client and the proxies in front of the gateway.',
  malformed_json: 'The body is missing, cut short or not JSON in UTF-8. Nothing was done.',
  unauthenticated:
    'Send `Authorization: Bearer <token>` with a token that exists, was not revoked and has not expired. A new token is valid within two seconds.',
  forbidden:
    'The token is valid, but none of its roles allows this operation. Ask an owner of the tenant, or a platform operator.',
  not_found:
    'Your tenant has no such object, or the API has no such route. An object of another tenant looks the same.',
  method_not_allowed: 'The path does not have this method. `Allow` lists the methods that it has.',
  wait_timeout:
    'The timeout passed before the state was reached. Wait again. An instance that shuts down also ends its waits with this error.',
  name_taken: 'Another VM of your tenant has this name. The name is free again when that VM is deleted.',
  vm_busy:
    'Other work on this VM is in flight. `task` names it. Wait for its end (`GET /vms/{id}/wait?state=settled`), then send the request again. Force-stop and delete need not wait.',
  invalid_state: 'The present state does not allow this. `allowedActions` lists the actions that it allows.',
  unreachable_state:
    'No work in flight leads to the state of the wait: the work failed, or the VM is being deleted. `lastError` and the job give the reason.',
  quota_exceeded:
    "The request exceeds the tenant's limits. The detail names the remainder. `GET /tenants/{id}/quota` shows the limits and the usage.",
  idempotency_in_progress:
    'A request with this Idempotency-Key is in progress. Send the same request again shortly to receive its answer.',
  job_not_cancellable:
    'The job has ended, or its step cannot be undone: `detail` gives the reason. Wait for its end, or force-stop or delete the VM.',
  history_lost:
    'The database was restored, or failed over, to a position before that of the consistency token. Drop the token, read again, and check your last changes.',
  precondition_failed:
    'The ETag of If-Match is not the present one. Read the resource again, then decide again.',
  body_too_large: 'Send less at a time: at most 1 MiB, or 8 MiB of metric points.',
  unsupported_media_type:
    'Send the body with `Content-Type: application/json`. A `Content-Encoding` must be one that the header `Accept-Encoding` of this answer names.',
  invalid_request:
    '`errors` names the wrong fields by JSON Pointer, at most 20 of them. `detail` counts the rest. A pointer over 200 characters is cut. A field outside of the body begins with `/path`, `/query` or `/header`. Nothing was done.',
  idempotency_mismatch: 'This Idempotency-Key was used with another body. Use a new key for a new request.',
  answer_too_large:
    'The answer does not fit one message and cannot be split. Request less: fewer metrics, a larger `step`, a smaller `limit`. The same request fails again.',
  unknown_image: 'No host of this zone runs the image. `GET /images` lists the images with their zones.',
  unknown_zone: 'No zone has this name. `GET /zones` lists the zones.',
  capability_unsupported:
    "No driver supports this yet, or the driver of the VM's host does not: `detail` says which. Nothing was done.",
  invalid_token:
    'NovaCron-Consistency-Token was changed in transit, or comes from another installation. Send the request without it.',
  rate_limited: 'Wait for as long as `Retry-After` says.',
  too_many_waits:
    'Your token or tenant has reached the number of concurrent waits of one instance. End some waits, or follow several objects by one list. Retry after `Retry-After`.',
  internal:
    'NovaCron has a fault. A retry may succeed, and is safe with an Idempotency-Key. Quote the requestId when you report the fault.',
  overloaded: 'A queue is full. Nothing was done. Retry after `Retry-After`.',
  dependency_down:
    'A service or server behind this instance is not available. Retry after `Retry-After`. With an Idempotency-Key it is safe to repeat a change.',
  deadline_exceeded:
    'No answer arrived in time. A change may or may not have happened. Repeat it with the same Idempotency-Key, or read first.',
  draining: 'This instance is shutting down. Send the request again; another instance answers it.',
};
