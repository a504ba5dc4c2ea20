import { formatPosition } from '@novacron/contracts/position';
import type { Answers } from '@novacron/postgres/database';

/** An answer with the state that it shows. */
export interface Read<T> {
  readonly body: T;
  readonly position: string;
  readonly holds: string;
  readonly servedFrom: 'primary' | 'replica';
}

/** `position`: what a token for this answer must ask for, as nothing in it is later. `holds`: what it has for certain. */
export function shown({ position, seen, servedFrom }: Answers): Omit<Read<unknown>, 'body'> {
  return { position: formatPosition(seen), holds: formatPosition(position), servedFrom };
}
