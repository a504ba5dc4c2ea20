import { repositoryRoot, type StackConfig } from '../config.js';
import { Progress } from '../progress.js';
import { takeRequests } from '../stack/requests.js';
import { Stack } from '../stack/stack.js';

export interface StartOptions {
  readonly port?: number;
  readonly host: string;
  readonly portOffset?: number;
  readonly simHosts: number;
  /** false with --no-replica */
  readonly replica: boolean;
  readonly replicas: number;
  readonly qemu: boolean;
  readonly repository?: string;
}

function banner(stack: Stack, seconds: string): string {
  const { secrets, paths } = stack.settings;
  const body = '{"name":"web-1","config":{"cpu":2,"memory":4096,"disk":50,"image":"ubuntu-22.04"}}';
  return `
NovaCron is ready after ${seconds} s

  URL     ${stack.url}     (its API: ${stack.url}/docs)
  token   ${secrets.token}     (tenant demo; all addresses: . ${paths.env})

  curl -s ${stack.url}/api/v1/vms -H 'Authorization: Bearer ${secrets.token}' \\
    -H 'Content-Type: application/json' -d '${body}'

Ctrl-C ends everything; state stays in ${paths.home}.
`;
}

/** A second signal within this time belongs to the same key press, which npm and this process both receive. */
const samePressMs = 1000;

/** Resolves with the first signal to end. `again` runs at a later one. */
function endSignal(again: () => void): Promise<NodeJS.Signals> {
  return new Promise((done) => {
    let first = 0;
    const on = (signal: NodeJS.Signals): void => {
      if (first === 0) {
        first = Date.now();
        done(signal);
      } else if (Date.now() - first > samePressMs) again();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, on);
  });
}

/** `npm start`: starts everything and keeps it running until a signal, then ends it in order. */
export async function start(config: StackConfig, options: StartOptions): Promise<void> {
  const progress = new Progress();
  let stack: Stack | undefined;
  const signalled = endSignal(() => {
    progress.line('ending at once');
    stack?.killAll();
  });
  const merged = {
    ...config,
    httpHost: options.host,
    httpPort: options.port ?? config.httpPort,
    portOffset: options.portOffset ?? config.portOffset,
  };
  // An explicit --port is the final port: the offset does not apply to it.
  if (options.port !== undefined) merged.httpPort = options.port - merged.portOffset;
  const { qemu, simHosts: simulatedHosts } = options;
  const replicas = options.replica ? options.replicas : 0;
  const up = async () => {
    stack = await Stack.open(
      { config: merged, repository: options.repository ?? repositoryRoot, replicas, qemu, simulatedHosts },
      progress,
    );
    await stack.start();
    return stack;
  };
  const starting = up();
  const outcome = await Promise.race([
    starting.then(
      () => undefined,
      (error: unknown) => ({ error }),
    ),
    signalled,
  ]);
  progress.end();
  try {
    if (outcome === undefined && stack) {
      process.stdout.write(banner(stack, ((Date.now() - config.commandStartedAt) / 1000).toFixed(1)));
      const running: Stack = stack;
      process.on('SIGUSR2', () => {
        takeRequests(running).catch((error: unknown) =>
          progress.line(`novacron: ${(error as Error).message}`),
        );
      });
      await signalled;
    } else if (typeof outcome === 'object') throw outcome.error;
  } finally {
    starting.catch(() => undefined); // its failure is thrown above, or a signal came first
    if (stack) {
      const since = Date.now();
      process.stderr.write('\nstopping …');
      await stack.stop();
      process.stderr.write(` ${((Date.now() - since) / 1000).toFixed(1)} s\n`);
    }
  }
  // Everything has ended. An unfinished start must not keep the process alive.
  process.exit(process.exitCode ?? 0);
}
