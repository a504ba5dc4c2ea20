import type { Condition } from '@novacron/contracts/common';

/** `conditions` with one of its type set; the time of an unchanged status stays. */
export function withCondition(conditions: readonly Condition[], set: Condition): Condition[] {
  const before = conditions.find(({ type }) => type === set.type);
  const lastTransitionAt = before?.status === set.status ? before.lastTransitionAt : set.lastTransitionAt;
  return [...withoutCondition(conditions, set.type), { ...set, lastTransitionAt }];
}

export function withoutCondition(conditions: readonly Condition[], type: string): Condition[] {
  return conditions.filter((condition) => condition.type !== type);
}
