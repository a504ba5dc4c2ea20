import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A stack of its own home and ports, driven through its command line as a person drives it. */
export class StackProcess {
  private child: ChildProcess | undefined;
  output = '';

  constructor(
    readonly home: string,
    private readonly repository: string,
    private readonly offset: number,
  ) {}

  private env() {
    return { ...process.env, NOVACRON_HOME: this.home, NOVACRON_PORT_OFFSET: String(this.offset) };
  }

  /** Starts it and resolves when it says that it is ready. */
  async start(...flags: string[]): Promise<void> {
    this.output = '';
    const args = [cli, 'start', '--repository', this.repository, '--sim-hosts', '2', ...flags];
    const child = spawn(process.execPath, args, { env: this.env(), stdio: ['ignore', 'pipe', 'pipe'] });
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

  /** Sends a signal to the stack and resolves with its exit code. */
  signal(name: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null) return Promise.resolve(child?.exitCode ?? null);
    return new Promise((done) => {
      child.once('exit', (code) => done(code));
      child.kill(name);
    });
  }

  /** Runs another command of the same home, for instance status. */
  run(...args: string[]): Promise<Ended> {
    return new Promise((done) => {
      execFile(process.execPath, [cli, ...args], { env: this.env() }, (error, stdout, stderr) =>
        done({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  }

  pidPath(name: string): string {
    return join(this.home, 'run', `${name}.pid`);
  }
}
