import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inheritedEnvironment, repositoryRoot } from '../config.js';
import { layout, logFile, pidFile } from '../layout.js';
import { isFree } from '../servers/ports.js';
import { allProcesses } from '../supervisor/leftovers.js';
import { gone, readPid } from '../supervisor/processes.js';

export interface StackProcessOptions {
  readonly home: string;
  /** see freeOffset() */
  readonly offset: number;
  /** simulated hosts of a new home (default 20) */
  readonly simHosts?: number;
  /** this machine as a QEMU host (default false) */
  readonly qemu?: boolean;
  /** a streaming replica (default true) */
  readonly replica?: boolean;
  /** how many (default 1) */
  readonly replicas?: number;
  /** more variables for every process of the stack, for instance NOVACRON_AGENT_SIM_LATENCY */
  readonly env?: Readonly<Record<string, string>>;
  /** another root of apps/, for tests of the stack itself */
  readonly repository?: string;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const cli = join(repositoryRoot, 'packages', 'local-stack', 'dist', 'cli.js');

/** An offset at which every port of a stack is free. */
export async function freeOffset(): Promise<number> {
  for (;;) {
    // Not 2,000: fetch refuses port 10,080.
    const offset = 2_100 + Math.floor(Math.random() * 199) * 100;
    const ports = [8080, 9100, 9101, 9102, 9103, 9104, 9105, 15_432, 16_379, 14_222].map(
      (port) => port + offset,
    );
    if ((await Promise.all(ports.map((port) => isFree(port)))).every(Boolean)) return offset;
  }
}

/** A whole local stack in its own home, driven through its command line. For tests and benchmarks. */
export class StackProcess {
  private child: ChildProcess | undefined;
  private readonly killOnExit = () => this.child?.kill('SIGTERM');
  /** the output of the last start */
  output = '';

  constructor(private readonly options: StackProcessOptions) {
    process.once('exit', this.killOnExit);
  }

  get home(): string {
    return this.options.home;
  }

  private processEnv(): Record<string, string> {
    const own = { NOVACRON_HOME: this.home, NOVACRON_PORT_OFFSET: String(this.options.offset) };
    return { ...inheritedEnvironment(), ...own, ...this.options.env };
  }

  private startArguments(): string[] {
    const { simHosts, qemu = false, replica = true, replicas, repository } = this.options;
    return [
      'start',
      ...(simHosts === undefined ? [] : ['--sim-hosts', String(simHosts)]),
      ...(qemu ? [] : ['--no-qemu']),
      ...(replica ? [] : ['--no-replica']),
      ...(replicas === undefined ? [] : ['--replicas', String(replicas)]),
      ...(repository === undefined ? [] : ['--repository', repository]),
    ];
  }

  /** Starts it and resolves when it prints that it is ready. @throws Error with its output when it ends before */
  async start(): Promise<void> {
    this.output = '';
    const env = this.processEnv();
    const child = spawn(process.execPath, [cli, ...this.startArguments()], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    await new Promise<void>((ready, failed) => {
      const keep = (chunk: Buffer) => {
        this.output += chunk.toString();
        if (this.output.includes('is ready after')) ready();
      };
      child.stdout.on('data', keep);
      child.stderr.on('data', keep);
      child.once('exit', (code) => failed(new Error(`start ended with ${code}: ${this.output}`)));
    });
  }

  /** The variables of the stack's `env` file: NOVACRON_URL, NOVACRON_TOKEN, addresses. */
  env(): Record<string, string> {
    const text = readFileSync(layout(this.home).env, 'utf8');
    return Object.fromEntries(
      [...text.matchAll(/^export (\w+)='(.*)'$/gm)].map((match) => [match[1], match[2]]),
    );
  }

  get url(): string {
    return this.env()['NOVACRON_URL'] ?? '';
  }

  get token(): string {
    return this.env()['NOVACRON_TOKEN'] ?? '';
  }

  get operatorToken(): string {
    return this.env()['NOVACRON_OPERATOR_TOKEN'] ?? '';
  }

  /** Pid of a component, by its pid file. */
  pid(name: string): number | undefined {
    return readPid(this.pidPath(name));
  }

  pidPath(name: string): string {
    return pidFile(layout(this.home), name);
  }

  log(name: string): string {
    return readFileSync(logFile(layout(this.home), name), 'utf8');
  }

  /** `kill -9` of a component. The stack restarts it. */
  async kill(name: string): Promise<void> {
    const pid = this.pid(name);
    if (pid === undefined) throw new Error(`${name} does not run`);
    process.kill(pid, 'SIGKILL');
    await gone(pid, 5000);
  }

  /** Sends a signal to the stack itself and resolves with its exit code. */
  signal(name: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null)
      return Promise.resolve(child?.exitCode ?? null);
    return new Promise((done) => {
      child.once('exit', (code) => done(code));
      child.kill(name);
    });
  }

  /** Runs a command for this home, for example `status -o json`. */
  run(...args: string[]): Promise<Ended> {
    return new Promise((done) => {
      execFile(process.execPath, [cli, ...args], { env: this.processEnv() }, (error, stdout, stderr) =>
        done({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  }

  /** Processes whose command line names this home. There are none after stop(). */
  processes(): { pid: number; args: readonly string[] }[] {
    return allProcesses().filter(({ args }) => args.join(' ').includes(this.home));
  }

  /** Ends everything and removes all state. */
  async remove(): Promise<void> {
    await this.signal('SIGTERM');
    await this.run('reset');
    process.removeListener('exit', this.killOnExit);
  }
}
