import type { History, Operation, Outage, Violation } from './operation.js';

const LINES = 24;

/** The part of a history that explains a violation: the earlier observation, later writes to the VM, and active faults. */
export function excerpt(
  { operations, faults }: History,
  { rule, says, operation, evidence }: Violation,
): string {
  const from = evidence === undefined ? undefined : operations[evidence];
  const vm = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(says)?.[0];
  const since = from?.start ?? operation.start - 1_000;
  const between = operations.filter(
    (one) =>
      one !== from &&
      one !== operation &&
      one.end >= since &&
      one.start <= operation.end &&
      concerns(one, operation, vm),
  );
  const shown = between.slice(-LINES);
  const active = faults.filter((fault) => fault.from <= operation.end && fault.to >= since);
  return [
    `${rule}: ${says}`,
    ...(from ? [`  known by  ${line(from, vm)}`] : []),
    ...(shown.length < between.length ? [`  ... ${between.length - shown.length} operations`] : []),
    ...shown.map((one) => `            ${line(one, vm)}`),
    `  wrong     ${line(operation, vm)}`,
    ...(active.length > 0 ? [`  faults    ${active.map(faultLine).join('; ')}`] : []),
  ].join('\n');
}

/** Operations of the same session, and writes to the VM. */
function concerns(one: Operation, wrong: Operation, vm: string | undefined): boolean {
  if (one.session === wrong.session) return true;
  if (one.kind === 'create') return one.observed?.vm === vm;
  return (one.kind === 'patch' || one.kind === 'delete') && one.vm === vm;
}

function line(one: Operation, vm: string | undefined): string {
  const {
    id,
    session,
    gateway,
    start,
    end,
    kind,
    status,
    code,
    servedFrom,
    tokenBefore,
    tokenAfter,
    adopts,
  } = one;
  const target = kind === 'list' ? `list ${JSON.stringify(one.filter)}` : kind;
  const items = kind === 'list' ? one.items : 'observed' in one && one.observed ? [one.observed] : undefined;
  const its = items?.find((observed) => observed.vm === vm);
  const what = its
    ? ` shows v${its.version} write ${its.write} ${its.state}`
    : items && vm
      ? ' does not show it'
      : '';
  const strength = 'consistency' in one && one.consistency !== 'causal' ? ` ${one.consistency}` : '';
  const chain = adopts === undefined ? '' : ` (goes on from #${adopts})`;
  const times = `${start.toFixed(1)}..${end.toFixed(1)} ms`;
  return (
    `#${id} s${session}${chain} gateway ${gateway} ${times} ${target}${strength} → ${status}${code ? ` ${code}` : ''}` +
    `${servedFrom ? ` from ${servedFrom}` : ''}${what}, token ${tokenBefore.toString(16)} → ${tokenAfter.toString(16)}`
  );
}

function faultLine({ fault, from, to }: Outage): string {
  return `${fault} ${from.toFixed(0)}..${to === Infinity ? 'still' : `${to.toFixed(0)} ms`}`;
}
