import { isStorageFull } from '../state/atomic-file.js';
import { DriverError } from '../drivers/driver.js';
import { Preempted } from './command-queue.js';

/**
 * Texts that only the host's operator may read: paths, sockets, stack frames, process ids, addresses. A DriverError's
 * text has none of them; this check is a second protection.
 */
const INTERNAL = [
  /(^|[\s"'`(=:,[])\.{0,2}\/[\w.@~-]/, // a path
  /\.(sock|pid|json|qcow2|journal|log)\b/,
  /\bat \S+ \(|\bnode:|\n/, // a stack
  /\b(pid|process|fd) \d+/i,
  /\b\d{1,3}(\.\d{1,3}){3}\b/, // an address
];

export const HOST_FAILED = 'the host could not do it; the reason is in the log of its agent';

/** Whether tenants may read the text. */
export function isPublic(text: string): boolean {
  return !INTERNAL.some((pattern) => pattern.test(text));
}

/**
 * Converts any rejection of an operation to an error of the command contract. Tenants read its message; its `cause` is
 * the internal reason, for the log.
 */
export function asDriverError(error: unknown): DriverError {
  if (error instanceof DriverError && isPublic(error.message)) return error;
  if (error instanceof DriverError) {
    return new DriverError(error.code, HOST_FAILED, error.retryable, { cause: error });
  }
  if (error instanceof Preempted) return new DriverError('busy', error.message, true);
  if (isStorageFull(error))
    return new DriverError('no_space', 'the host has no disk space left', true, { cause: error });
  return new DriverError('driver_error', HOST_FAILED, true, { cause: error });
}
