import type { BenchContext, Benchmark, Measurement } from '../benchmark.js';
import { listSql } from './list-sql.js';
import { list } from './list.js';
import { serialise } from './serialise.js';

/** How much of each there is in a round, and how often a process begins anew: each compiles in its own way. */
export interface Effort {
  readonly processes: number;
  readonly rounds: number;
  readonly requests: number;
  readonly queries: number;
  readonly milliseconds: number;
}

const FULL: Effort = { processes: 4, rounds: 5, requests: 8_000, queries: 200, milliseconds: 50 };
const QUICK: Effort = { processes: 1, rounds: 5, requests: 3_000, queries: 50, milliseconds: 20 };

/** The guide's own three. `bench:check` measures them, and their names stand in its baseline. */
export const GUIDE_PARTS = {
  list,
  'list-sql': listSql,
  serialise,
} as const satisfies Record<string, (effort: Effort, context: BenchContext) => Promise<Measurement[]>>;

export type GuidePart = keyof typeof GUIDE_PARTS;

export function measurePart(part: GuidePart, context: BenchContext): Promise<Measurement[]> {
  context.progress(`guide: ${part}`);
  return GUIDE_PARTS[part](context.quick ? QUICK : FULL, context);
}

export const guide: Benchmark = {
  name: 'guide',
  about: "the guide's three: the list, its SQL, and a VM to JSON, each against a fixed piece of work",
  run: async (context) => {
    const parts: Measurement[][] = [];
    for (const part of Object.keys(GUIDE_PARTS) as GuidePart[]) parts.push(await measurePart(part, context));
    return parts.flat();
  },
};
