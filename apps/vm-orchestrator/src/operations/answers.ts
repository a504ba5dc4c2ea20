import { isGuestFault, type CommandReply } from '@novacron/contracts/agents';
import type { HostAnswer } from '../hosts/commands.js';
import type { StepContext, StepResult } from '../jobs/operation.js';

type Done = Extract<CommandReply, { outcome: 'done' }>;

/** The attempts of a step when the host reports a retryable failure. */
const ATTEMPTS = 5;
const UNREACHABLE_RETRY_MS = 1_000;
const ACCEPTED_POLL_MS = 1_000;

/**
 * The result of a host's answer, for every step. The step waits while the host works on it or is unreachable (until the
 * deadline), is tried again after a retryable failure, and fails otherwise.
 */
export function onAnswer(
  context: StepContext,
  answer: HostAnswer,
  onDone: (reply: Done) => StepResult,
): StepResult {
  switch (answer.outcome) {
    case 'done':
      return { fact: answer, ...onDone(answer) };
    case 'accepted':
      return { then: 'wait', ms: ACCEPTED_POLL_MS, detail: 'the host is working on it' };
    case 'unreachable':
      return { then: 'wait', ms: UNREACHABLE_RETRY_MS, detail: `the host does not answer: ${answer.detail}` };
    case 'host_fenced':
      return { then: 'failed', code: 'host_fenced', detail: answer.detail };
    case 'fenced':
      // After another epoch the next attempt has the new one. After an older fence this lease is lost, and its
      // commit will fail.
      return { then: 'wait', ms: 200, detail: `the host refused: ${answer.detail}` };
    case 'failed':
      if (answer.retryable && context.job.attempt + 1 < ATTEMPTS) {
        return { then: 'wait', ms: 200 * 2 ** context.job.attempt, detail: answer.detail };
      }
      return {
        then: 'failed',
        code: answer.code,
        detail: answer.detail,
        fact: { epoch: answer.epoch, seq: answer.seq, fact: answer.fact },
        args: { guestPaused: answer.fact?.power === 'paused' && isGuestFault(answer.fact.reason) },
      };
  }
}

/** The patch of a VM that runs as the fact says. */
export function running(reply: Done): {
  state: 'running';
  incarnation: number;
  stop_reason: null;
  last_error: null;
} {
  return { state: 'running', incarnation: reply.fact.incarnation, stop_reason: null, last_error: null };
}

/** The state before, after a failure; `unknown` after a passed deadline. */
export function backOrUnknown(
  before: string | undefined,
  code: string,
  fallback: 'running' | 'stopped' | 'paused',
) {
  if (code === 'deadline_exceeded') return { state: 'unknown' as const };
  const states = ['running', 'stopped', 'paused', 'suspended', 'unknown'] as const;
  return { state: states.find((state) => state === before) ?? fallback };
}
