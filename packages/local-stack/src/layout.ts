import { join, resolve } from 'node:path';

/** The database of a stack. */
export const database = 'novacron';

/**
 * The paths below one NOVACRON_HOME. It contains everything of a stack, except Postgres data that the `postgres` user
 * could not reach there (postgres-home.ts).
 */
export interface Layout {
  readonly home: string;
  /** NAME.pid files, status.json, stack.pid */
  readonly run: string;
  /** NAME.log files */
  readonly log: string;
  /** generated passwords and keys, 0700 */
  readonly secrets: string;
  /** the servers' data directories */
  readonly data: string;
  /** one folder for each host agent: its hosts, its state */
  readonly agents: string;
  /** images for QEMU hosts */
  readonly images: string;
  /** file to `source`: addresses and tokens */
  readonly env: string;
}

/** The paths of a stack's home directory. Creates nothing. */
export function layout(home: string): Layout {
  const root = resolve(home);
  return {
    home: root,
    run: join(root, 'run'),
    log: join(root, 'log'),
    secrets: join(root, 'secrets'),
    data: join(root, 'data'),
    agents: join(root, 'agents'),
    images: join(root, 'images'),
    env: join(root, 'env'),
  };
}

/** The file that holds the pid of component `name`. */
export function pidFile(paths: Layout, name: string): string {
  return join(paths.run, `${name}.pid`);
}

/** The file that component `name` logs to. */
export function logFile(paths: Layout, name: string): string {
  return join(paths.log, `${name}.log`);
}
