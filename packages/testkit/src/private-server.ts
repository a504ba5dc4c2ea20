import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  endProcess,
  gone,
  type Program,
  startProgram,
  waitUntil,
} from '@novacron/local-stack/supervisor/processes';

/** A server of one test file, which may kill and restart it. It ends with the test process. */
export class PrivateServer {
  private child: ChildProcess | undefined;
  private readonly killOnExit = () => this.child?.kill('SIGKILL');

  constructor(
    private readonly program: Program,
    private readonly dir: string,
    private readonly prepare: () => void | Promise<void> = () => undefined,
  ) {
    process.once('exit', this.killOnExit);
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Starts it and waits until it answers. @throws Error with the end of its log when it does not */
  async start(): Promise<void> {
    await this.prepare();
    const log = join(this.dir, `${this.program.name}.log`);
    const child = startProgram(this.program, log, join(this.dir, `${this.program.name}.pid`));
    child.unref();
    this.child = child;
    const ended = () => child.exitCode !== null || child.signalCode !== null;
    if (await waitUntil(() => this.program.ready(), 60_000, ended)) return;
    throw new Error(`${this.program.name} did not start: ${readFileSync(log, 'utf8').slice(-2000)}`);
  }

  /** Ends it at once, like a crash. A process that has ended by itself is left alone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const pid = this.child?.pid;
    if (pid === undefined || this.child?.kill(signal) !== true) return;
    await gone(pid, 15_000);
  }

  async stop(): Promise<void> {
    process.removeListener('exit', this.killOnExit);
    const pid = this.child?.pid;
    const { name, stopSignal: signal, stopGraceMs: graceMs } = this.program;
    if (pid !== undefined) await endProcess(pid, { signal, graceMs, pidFile: join(this.dir, `${name}.pid`) });
    this.child = undefined;
  }
}
