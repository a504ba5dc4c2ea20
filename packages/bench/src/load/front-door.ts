import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';
import { anyFreePort } from '@novacron/local-stack/servers/ports';
import {
  endProcess,
  type Program,
  startProgram,
  waitUntil,
} from '@novacron/local-stack/supervisor/processes';
import { findProgram } from '@novacron/local-stack/servers/programs';

/** nginx as infra/nginx configures it, in front of the gateways. */
export interface FrontDoor {
  readonly url: string;
  /** its access log, a line of JSON for each request */
  readonly log: string;
  /**
   * Resolves when it has had an answer of this gateway, from now on; or when the load is over.
   * @throws when none comes
   */
  trusts(gateway: string, loadIsOver: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** nginx leaves a gateway alone for 30 s after three failures (fail_timeout in infra/nginx). */
const TRUSTED_WITHIN_MS = 90_000;

export function canHaveFrontDoor(): boolean {
  return findProgram('nginx') !== undefined;
}

/** @param directory of its own, for configuration and log. @throws without nginx, or when it does not start */
export async function openFrontDoor(directory: string, gateways: readonly string[]): Promise<FrontDoor> {
  const file = findProgram('nginx');
  if (file === undefined) throw new Error('nginx is not installed: apt-get install nginx');
  const port = await anyFreePort();
  const env = {
    ...inheritedEnvironment(),
    LB_GATEWAYS: gateways.join(','),
    LB_ADDRESS: '127.0.0.1',
    LB_HTTP_PORT: String(port),
    LB_ACCESS_LOG: 'access.log',
  };
  mkdirSync(directory, { recursive: true });
  execFileSync('sh', [join(repositoryRoot, 'infra', 'nginx', 'render'), directory], { env });
  // As root its workers would run as the user `nobody`, which may not read the temporary directory.
  const user = process.getuid?.() === 0 ? ' user root;' : '';
  const program: Program = {
    name: 'nginx',
    file,
    args: ['-p', directory, '-c', 'nginx.conf', '-e', 'stderr', '-g', `daemon off;${user}`],
    env: inheritedEnvironment(),
    marker: directory,
    stopSignal: 'SIGTERM',
    stopGraceMs: 5_000,
    ready: () => listens(port),
  };
  const child = startProgram(program, join(directory, 'nginx.log'), join(directory, 'started.pid'));
  const gone = () => child.exitCode !== null;
  if (!(await waitUntil(() => program.ready(), 30_000, gone)))
    throw new Error(`nginx does not start: see ${join(directory, 'nginx.log')}`);
  const log = join(directory, 'access.log');
  return {
    url: `http://127.0.0.1:${port}`,
    log,
    trusts: async (gateway, loadIsOver) => {
      const from = statSync(log).size;
      const answered = async () => readFileSync(log).subarray(from).includes(`"upstream":"${gateway}"`);
      if (await waitUntil(answered, TRUSTED_WITHIN_MS, () => loadIsOver.aborted)) return;
      if (!loadIsOver.aborted) throw new Error(`nginx sends ${gateway} nothing`);
    },
    close: async () => {
      if (child.pid !== undefined) await endProcess(child.pid, { signal: 'SIGTERM', graceMs: 5_000 });
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      done(true);
      socket.destroy();
    });
    socket.once('error', () => done(false));
  });
}
