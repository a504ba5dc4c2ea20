import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '@novacron/local-stack/config';

export interface Stage {
  readonly duration: string;
  readonly target: number;
}

export type Endpoint = 'list' | 'create';

type Holds = (status: number, ms: number) => boolean;

/** infra/load/scenario.js, which k6 loads too. */
interface Scenario {
  readonly PROFILES: Readonly<Record<string, readonly Stage[]>>;
  readonly PARTS: readonly string[];
  readonly CHECKS: Readonly<Record<Endpoint, Readonly<Record<string, Holds>>>>;
  readonly DUE: Readonly<Record<Endpoint, number>>;
  totalSeconds(stages: readonly Stage[]): number;
  usersAt(stages: readonly Stage[], elapsedSeconds: number): number;
  atPeak(stages: readonly Stage[], elapsedSeconds: number): boolean;
  creates(): boolean;
  thinkTime(): number;
  newRun(): string;
  namePrefix(run: string): string;
  newVm(run: string, user: number, iteration: number): object;
}

/** The figures of one metric, under k6's names: `count`, `rate`, `med`, `p(95)`. */
export type Figures = Readonly<Record<string, number>>;

/** The thresholds that apply to a run. */
export type Demands = 'guide' | 'lossless' | 'strict';

export interface SummaryOptions {
  readonly tool: string;
  readonly at: string;
  readonly profile: string;
  readonly url: string;
  readonly users: number;
  readonly seconds: number;
}

/** A results file. */
export interface Summary extends SummaryOptions {
  readonly version: 1;
  readonly requests: number;
  readonly perSecond: number;
  /** shares, 0 to 1 */
  readonly failed: number;
  readonly errors: number;
  readonly checks: number;
  readonly endpoints: Readonly<Record<string, Figures>>;
  readonly thresholds: readonly {
    readonly metric: string;
    readonly expression: string;
    readonly value: number | null;
    readonly ok: boolean;
  }[];
  readonly passed: boolean;
}

/** infra/load/summary.js */
interface Summaries {
  summarise(metrics: Readonly<Record<string, Figures>>, options: SummaryOptions, demands: Demands): Summary;
  table(summary: Summary): string;
}

export const loadDirectory = join(repositoryRoot, 'infra', 'load');
const load = (file: string): Promise<unknown> => import(pathToFileURL(join(loadDirectory, file)).href);

// Not TypeScript, and not below src: k6 loads these files as they are.
export const scenario = (await load('scenario.js')) as Scenario;
export const { summarise, table } = (await load('summary.js')) as Summaries;
