import { join } from 'node:path';
import type { Layout } from '../layout.js';
import { readStateFile, writeStateFile } from '../state-file.js';
import type { ComponentStatus } from '../supervisor/component.js';
import { isNoSpace, livePid } from '../supervisor/processes.js';

/** The content of `run/status.json`. */
export interface StackStatus {
  readonly phase: 'starting' | 'running' | 'stopping';
  readonly url: string;
  readonly startedAt: string;
  readonly components: readonly ComponentStatus[];
}

const statusFile = (paths: Layout) => join(paths.run, 'status.json');

/** The pid file of the stack itself. */
export const stackPidFile = (paths: Layout) => join(paths.run, 'stack.pid');

/** Part of the stack's command line, which verifies the pid in its pid file. */
export const stackMarker = 'local-stack/dist/cli.js start';

export function writeStatus(paths: Layout, status: StackStatus): void {
  writeStateFile(statusFile(paths), status);
}

const WRITE_AGAIN_MS = 2_000;

/** Writes the status at each change. On a full disk it retries, and the previous status stays until then. */
export class StatusWriter {
  #again: NodeJS.Timeout | undefined;

  constructor(
    private readonly paths: Layout,
    private readonly status: () => StackStatus,
  ) {}

  write(): void {
    clearTimeout(this.#again);
    try {
      writeStatus(this.paths, this.status());
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.#again = setTimeout(() => this.write(), WRITE_AGAIN_MS);
      this.#again.unref();
    }
  }
}

/** The last written status. It is current only while runningStack() returns a pid. */
export function readStatus(paths: Layout): StackStatus | undefined {
  return readStateFile(statusFile(paths), 'Remove it') as StackStatus | undefined;
}

/** The pid of this home's running stack. */
export function runningStack(paths: Layout): number | undefined {
  return livePid(stackPidFile(paths), stackMarker);
}
