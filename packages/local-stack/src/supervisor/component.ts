import type { Program } from './processes.js';

/** A program that the supervisor keeps running, and the work around its start. */
export interface Component {
  readonly name: string;
  /** called at every start, because prepare() may change it */
  program(): Program;
  /** runs before each start, for example to write configuration files */
  prepare?(): Promise<void> | void;
  /** runs after each start, when the program answers, for example to create roles */
  afterReady?(): Promise<void>;
  /** called every few seconds while it runs; after three failures in a row the program is restarted */
  works?(): Promise<boolean>;
  /** longest time from a start to an answer */
  readonly readyWithinMs: number;
  /** the port of a service's /ready; servers have none */
  readonly opsPort?: number;
}

export type ComponentState = 'starting' | 'running' | 'not ready' | 'waiting' | 'stopping' | 'stopped';

export interface ComponentStatus {
  readonly name: string;
  readonly state: ComponentState;
  readonly pid?: number;
  readonly restarts: number;
  /** RFC 3339, of the last change of state */
  readonly since: string;
  /** why it is not running, one line */
  readonly detail?: string;
  readonly opsPort?: number;
}
