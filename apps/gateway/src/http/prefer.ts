import { MAX_WAIT_SECONDS } from '@novacron/contracts/wait';

/** Seconds of `Prefer: wait=N` (RFC 7240), at most {@link MAX_WAIT_SECONDS}; 0 without one. */
export function preferredWait(header: string | readonly string[] | undefined): number {
  const text = typeof header === 'string' ? header : (header ?? []).join(',');
  const wait = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?\s*(?:[,;]|$)/i.exec(text);
  return wait === null ? 0 : Math.min(Number(wait[1]), MAX_WAIT_SECONDS);
}
