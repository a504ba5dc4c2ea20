import { excerpt } from './excerpt.js';
import type { History, Operation } from './operation.js';
import type { RunResult } from './run.js';

const SHOWN = 3;

/** A run's report for people: operations, faults, sources of answers, and violations. */
export function report(seed: number, { history, violations, faults, seconds }: RunResult): string {
  const { operations } = history;
  const failed = operations.filter(({ status }) => status >= 500 || status <= 0);
  const slowest = operations.reduce((longest, { start, end }) => Math.max(longest, end - start), 0);
  const rate = Math.round(operations.length / seconds);
  return [
    `seed ${seed}: ${operations.length} operations in ${seconds.toFixed(0)} s (${rate}/s): ${counted(operations, ({ kind }) => kind)}`,
    `answers: ${counted(operations, ({ status }) => String(status))}; ${failed.length} errors in outages; slowest ${Math.round(slowest)} ms`,
    ...(failed.length > 0
      ? [`errors: ${counted(failed, (one) => `${one.kind} ${cause(history, one)}`)}`]
      : []),
    `reads served from: ${shares(operations)}`,
    `faults: ${[...faults].map(([name, times]) => `${name} ${times}×`).join(', ') || 'none'}`,
    violations.length === 0
      ? 'no read was older than what its reader had written or observed'
      : `${violations.length} VIOLATIONS (${counted(violations, ({ rule }) => rule)})`,
    ...violations.slice(0, SHOWN).map((violation) => excerpt(history, violation)),
  ].join('\n');
}

function counted<T>(all: readonly T[], name: (one: T) => string): string {
  const counts = new Map<string, number>();
  for (const one of all) counts.set(name(one), (counts.get(name(one)) ?? 0) + 1);
  return [...counts].map(([of, times]) => `${of} ${times}`).join(', ');
}

/** The latest fault that may have caused it. */
function cause({ outages }: History, { start, end, gateway }: Operation): string {
  const around = outages.filter(
    ({ from, to, gateway: its }) => from <= end && to >= start && (its ?? gateway) === gateway,
  );
  return around.at(-1)?.fault ?? 'for no reason';
}

function shares(operations: readonly Operation[]): string {
  const reads = operations.filter(
    ({ kind, servedFrom }) => (kind === 'get' || kind === 'list') && servedFrom,
  );
  return ['l1', 'l2', 'replica', 'primary']
    .map((level) => {
      const share = reads.filter(({ servedFrom }) => servedFrom === level).length / reads.length;
      return `${level} ${(share * 100).toFixed(1)} %`;
    })
    .join(', ');
}
