import type { Program } from './processes.js';

/** What the supervisor keeps alive: a program, and what must be true around its start. */
export interface Component {
  readonly name: string;
  /** asked at every start: it may change with what prepare() did */
  program(): Program;
  /** before each start, for instance writing configuration files */
  prepare?(): Promise<void> | void;
  /** after each start, once the program answers, for instance creating roles */
  afterReady?(): Promise<void>;
  /** asked every few seconds while it runs; a program that does not work thrice in a row is started again */
  works?(): Promise<boolean>;
  /** longest time from a start to an answer */
  readonly readyWithinMs: number;
  /** where a service tells whether it is ready; servers have none */
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
