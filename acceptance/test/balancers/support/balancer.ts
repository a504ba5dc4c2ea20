import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { inheritedEnvironment, repositoryRoot } from '@novacron/local-stack/config';
import { anyFreePort } from '@novacron/local-stack/servers/ports';
import { findProgram } from '@novacron/local-stack/servers/programs';
import type { Program } from '@novacron/local-stack/supervisor/processes';
import { PrivateServer } from '@novacron/testkit/private-server';
import { privateDirectory } from '@novacron/testkit/test-home';
import type { Certificate } from './certificate.js';

export type BalancerKind = 'nginx' | 'haproxy';

/** Whether the balancer and openssl are installed. `npm test` installs both when it can. */
export function canRun(kind: BalancerKind): boolean {
  return findProgram(kind) !== undefined && findProgram('openssl') !== undefined;
}

export interface BalancerOptions {
  /** host:port[*weight] */
  readonly gateways: readonly string[];
  readonly certificate?: Certificate | undefined;
  /** Further variables of infra/<kind>/render. */
  readonly variables?: Readonly<Record<string, string>>;
}

/** Runs infra/<kind>/render into `directory`. @throws Error with its message when it refuses */
export function render(kind: BalancerKind, directory: string, variables: Record<string, string>): void {
  const script = join(repositoryRoot, 'infra', kind, 'render');
  const env = { ...inheritedEnvironment(), ...variables };
  execFileSync('sh', [script, directory], { env, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
}

/** Lets the balancer check the rendered configuration. @throws Error with its findings */
export function validate(kind: BalancerKind, directory: string): void {
  const args =
    kind === 'nginx' ? ['-t', ...nginxArguments(directory)] : ['-c', ...haproxyArguments(directory)];
  // Not a pipe, because node's pipes are sockets, which nginx cannot open as its access log.
  execFileSync(findProgram(kind) as string, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
}

/** A balancer in front of gateways with the configuration of infra/<kind>, on its own ports. */
export class Balancer {
  private constructor(
    readonly kind: BalancerKind,
    readonly httpPort: number,
    readonly httpsPort: number,
    readonly statsPort: number,
    readonly directory: string,
    private readonly server: PrivateServer,
  ) {}

  static async start(kind: BalancerKind, options: BalancerOptions): Promise<Balancer> {
    const directory = privateDirectory();
    const ports = [await anyFreePort(), await anyFreePort(), await anyFreePort()] as const;
    const [http, https, stats] = ports;
    const { certificate, gateways, variables } = options;
    render(kind, directory, {
      LB_GATEWAYS: gateways.join(','),
      LB_ADDRESS: '127.0.0.1',
      LB_HTTP_PORT: String(http),
      LB_HTTPS_PORT: String(https),
      LB_STATS_PORT: String(stats),
      ...(certificate && { LB_TLS_CERT: certificate.cert, LB_TLS_KEY: certificate.key }),
      ...variables,
    });
    validate(kind, directory);
    const server = new PrivateServer(programOf(kind, directory, http), directory);
    await server.start();
    return new Balancer(kind, http, https, stats, directory, server);
  }

  /** Its output: access log and errors. */
  log(): string {
    return readFileSync(join(this.directory, `${this.kind}.log`), 'utf8');
  }

  /** The number of requests that it retried. */
  retried(): number {
    const twice = { nginx: /"upstream":"[^"]*, /, haproxy: /"retries":"\+?[1-9]/ }[this.kind];
    return this.log()
      .split('\n')
      .filter((line) => twice.test(line)).length;
  }

  /** The number of requests that each gateway answered. */
  served(gateways: readonly string[]): number[] {
    const last = (gateway: string, index: number) =>
      this.kind === 'nginx' ? `${gateway}","upstreamStatus` : `"gateway":"gateway-${index + 1}"`;
    return gateways.map((gateway, index) => this.log().split(last(gateway, index)).length - 1);
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}

function nginxArguments(directory: string): string[] {
  return ['-p', directory, '-c', 'nginx.conf', '-e', 'stderr'];
}

function haproxyArguments(directory: string): string[] {
  return ['-f', join(directory, 'haproxy.cfg')];
}

function programOf(kind: BalancerKind, directory: string, port: number): Program {
  // As root, nginx runs its workers as `nobody`, which may not be able to read a test's directory.
  const user = process.getuid?.() === 0 ? ' user root;' : '';
  const args =
    kind === 'nginx'
      ? [...nginxArguments(directory), '-g', `daemon off;${user}`]
      : ['-db', ...haproxyArguments(directory)];
  return {
    name: kind,
    file: findProgram(kind) as string,
    args,
    env: inheritedEnvironment(),
    marker: directory,
    stopSignal: 'SIGTERM',
    stopGraceMs: 5_000,
    ready: () => listens(port),
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}
