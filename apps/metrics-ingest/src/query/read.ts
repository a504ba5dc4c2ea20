import { formatPosition } from '@novacron/contracts/position';
import type { RoutedResults } from '@novacron/postgres/database';

/** A reply with the bounds of its read position. */
export interface Read<T> {
  readonly body: T;
  readonly position: string;
  readonly holds: string;
  readonly servedFrom: 'primary' | 'replica';
}

/** `position` is the upper bound of the read position, which a token for this reply must require; `holds` is the lower bound. */
export function shown({ lowerBound, upperBound, servedFrom }: RoutedResults): Omit<Read<unknown>, 'body'> {
  return { position: formatPosition(upperBound), holds: formatPosition(lowerBound), servedFrom };
}
