import type { ErrorCode } from '@novacron/contracts/errors';

/** What each error means for who gets it, and what to do: the text of its page. The type keeps it complete. */
export const ADVICE: Record<ErrorCode, string> = {
  malformed_request:
    'The request could not be parsed as HTTP, or did not arrive in time. Check the client and what is between.',
  malformed_json: 'The body is missing, cut short or not JSON in UTF-8. Nothing was done.',
  unauthenticated:
    'Send `Authorization: Bearer <token>` with a token that exists, was not revoked and has not expired. A new token is good within two seconds.',
  forbidden:
    'The token is good, but none of its roles opens this route. Ask an owner of the tenant, or a platform operator.',
  not_found:
    'There is no such object in your tenant, or no such route. An object of another tenant looks the same.',
  method_not_allowed: 'The path exists with the methods that `Allow` lists.',
  wait_timeout:
    'The wait ended first. Nothing is wrong: wait again. An instance that shuts down ends its waits this way too.',
  name_taken: 'A VM of your tenant has this name. It is free again once that VM is deleted.',
  vm_busy:
    'Other work on this VM is in flight; its `task` says which. Wait for it (`GET /vms/{id}/wait?state=settled`), then ask again. Force-stop and delete need not wait.',
  invalid_state: 'From its present state this is not possible. `allowedActions` lists what is.',
  unreachable_state:
    'Nothing in flight leads to the state waited for any more: the work failed, or the VM is being deleted. `lastError` and the job say why.',
  quota_exceeded:
    "The tenant's limits leave too little. The detail says what is left; `GET /tenants/{id}/quota` shows all of it.",
  idempotency_in_progress:
    'A request with this Idempotency-Key is being worked on. Send the same again shortly to get its answer.',
  job_not_cancellable:
    'The job has ended, or is at a step that cannot be undone: `detail` says why. Wait for its end, or force-stop or delete the VM.',
  history_lost:
    'The database was restored or failed over to before what the consistency token saw. Drop the token, read again, and check what you last wrote.',
  precondition_failed: 'The ETag of If-Match is not the present one. Read it again, decide again.',
  body_too_large: 'Send less at a time: 1 MiB on most routes, 8 MiB of metric points.',
  unsupported_media_type:
    'Send the body with `Content-Type: application/json`, and without a `Content-Encoding` that the header `Accept-Encoding` of this answer does not name.',
  invalid_request:
    '`errors` names the fields that are wrong by JSON Pointer, at most 20 of them: `detail` counts the rest. A path over 200 characters is cut; `/path`, `/query` or `/header` in front means that it is not in the body. Nothing was done.',
  idempotency_mismatch: 'This Idempotency-Key was used with another body. Use a new key for a new request.',
  answer_too_large:
    'The answer does not fit one message, and cannot be split. Ask for less: fewer metrics, a larger `step`, a smaller `limit`. The same request fails the same way.',
  unknown_image: 'No host of this zone runs the image. `GET /images` lists the images with their zones.',
  unknown_zone: 'There is no zone of this name. `GET /zones` lists them.',
  capability_unsupported:
    "No driver can do this yet, or the driver of the VM's host cannot: `detail` says which. Nothing was done.",
  invalid_token:
    'NovaCron-Consistency-Token was changed on its way, or is of another installation. Leave it out.',
  rate_limited: 'Wait for as long as `Retry-After` says.',
  too_many_waits:
    'Your token or your tenant has as many waits at a time as one instance takes. End some, or follow several objects by one list. Come back after `Retry-After`.',
  internal:
    'A fault of ours. Trying again may work; with an Idempotency-Key it is safe. Quote the requestId when you report it.',
  overloaded: 'A queue is full. Nothing was done; come back after `Retry-After`.',
  dependency_down:
    'Something behind this instance is not there. Come back after `Retry-After`. With an Idempotency-Key it is safe to send a change again.',
  deadline_exceeded:
    'There was no answer in time: a change may or may not have happened. Send it again with the same Idempotency-Key, or read first.',
  draining: 'This instance is shutting down; another one answers. Send it again.',
};
