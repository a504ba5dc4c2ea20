import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Backoff } from '@novacron/async/backoff';
import { retry } from '@novacron/async/retry';
import { pause } from '@novacron/async/sleep';
import { type Layout, logFile, pidFile } from '../layout.js';
import { StackError } from '../stack-error.js';
import type { Component, ComponentState, ComponentStatus } from './component.js';
import { lastLine, logSize } from './log-tail.js';
import { endProcess, type Program, startProgram, waitUntil } from './processes.js';

const restartBackoff = { firstMs: 200, maxMs: 10_000 };
/** After this uptime the back-off starts again with its shortest pause. */
const steadyAfterMs = 30_000;
/** After this many ends before the first answer the whole start has failed. */
const attemptsBeforeFirstReady = 3;
const afterReadyRetry = { attempts: 5, firstMs: 200, maxMs: 200 };
const checkEveryMs = 2_000;
/** After this many failed checks in a row the supervisor ends a program that runs but does not work. */
const failedChecks = 3;
/** Shorter than the usual grace, because a hanging program rarely ends in order. */
const hungGraceMs = 2_000;

interface Run {
  readonly child: ChildProcess;
  readonly program: Program;
  readonly ended: Promise<string>;
  hasEnded: boolean;
}

/** Keeps one component running: starts it, waits until it answers, and restarts it with back-off when it ends. */
export class Supervisor {
  private state: ComponentState = 'stopped';
  private since = new Date();
  private detail: string | undefined;
  private logStart = 0;
  private restarts = 0;
  private run: Run | undefined;
  private stopping = false;
  private readonly stopped = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(
    private component: Component,
    private readonly paths: Layout,
    private readonly onChange: () => void,
  ) {}

  get status(): ComponentStatus {
    return {
      name: this.component.name,
      state: this.state,
      ...(this.run && !this.run.hasEnded && this.run.child.pid !== undefined
        ? { pid: this.run.child.pid }
        : {}),
      restarts: this.restarts,
      since: this.since.toISOString(),
      ...(this.detail === undefined ? {} : { detail: this.detail }),
      ...(this.component.opsPort === undefined ? {} : { opsPort: this.component.opsPort }),
    };
  }

  /** Uses `component` from the next start on. The running program continues. */
  become(component: Component): void {
    this.component = component;
  }

  /** Starts it and resolves at its first answer. @throws StackError when it does not start */
  start(): Promise<void> {
    this.logStart = logSize(logFile(this.paths, this.component.name));
    return new Promise((ready, failed) => {
      this.loop = this.keep(ready, failed);
    });
  }

  private async keep(ready: () => void, failed: (reason: unknown) => void): Promise<void> {
    const backoff = new Backoff(restartBackoff);
    let hasRestarted = false;
    for (let attempt = 1, answered = false; !this.stopping; attempt++) {
      const startedAt = Date.now();
      try {
        const ended = await this.once(!answered, () => {
          answered = true;
          ready();
        });
        this.detail = ended;
      } catch (error) {
        this.detail = (error as Error).message;
        // A StackError means damaged state, which another attempt does not repair.
        if (!answered && error instanceof StackError) return this.giveUp(error, failed);
      }
      if (this.stopping) return;
      if (!answered && attempt >= attemptsBeforeFirstReady) return this.giveUp(this.failure(), failed);
      if (Date.now() - startedAt > steadyAfterMs) {
        backoff.reset();
        hasRestarted = false;
      }
      // The first restart of a program that ran comes at once, because one end may be an accident.
      if (!answered || hasRestarted) await this.backOff(backoff.next());
      hasRestarted = true;
      this.restarts++;
    }
  }

  /** stop() cuts the pause short. */
  private async backOff(pauseMs: number): Promise<void> {
    this.change('waiting');
    await pause(pauseMs, { signal: this.stopped.signal });
  }

  private giveUp(error: Error, failed: (reason: unknown) => void): void {
    this.change('stopped');
    failed(error);
  }

  private failure(): StackError {
    const log = logFile(this.paths, this.component.name);
    // The reason for a program's end is in its log. For other failures it is in the error.
    const reason = this.detail?.startsWith('ended ')
      ? (lastLine(log, this.logStart) ?? this.detail)
      : this.detail;
    return new StackError(`${this.component.name} does not start: ${reason}`, `Its log is ${log}`);
  }

  /** Runs the program once. Resolves with how it ended. */
  private async once(firstTime: boolean, onReady: () => void): Promise<string> {
    this.change('starting');
    await this.component.prepare?.();
    if (this.stopping) return 'stopped';
    const run = this.launch();
    try {
      // After the first start, a program may wait for its dependencies without limit.
      const withinMs = firstTime ? this.component.readyWithinMs : Number.POSITIVE_INFINITY;
      const answers = await waitUntil(
        () => run.program.ready(),
        withinMs,
        () => run.hasEnded,
      );
      if (!answers && !run.hasEnded) throw new Error(`no answer within ${withinMs / 1000} s`);
      if (answers) await this.afterReady(run);
      if (answers && !run.hasEnded) {
        if (!this.stopping) this.change('running');
        onReady();
        void this.watch(run);
      }
    } catch (error) {
      await this.end(run);
      throw error;
    }
    return run.ended;
  }

  /** Tries a few times, because on a busy machine a connection to a healthy server may fail. */
  private afterReady(run: Run): Promise<void> {
    const retryIf = (error: unknown) => !run.hasEnded && !(error instanceof StackError);
    return retry(async () => this.component.afterReady?.(), { ...afterReadyRetry, retryIf });
  }

  /** Ends a program that runs but no longer works. It is restarted as after any end. */
  private async watch(run: Run): Promise<void> {
    const { works } = this.component;
    if (!works) return;
    for (let failed = 0; failed < failedChecks;) {
      await pause(checkEveryMs, { signal: this.stopped.signal, ref: false });
      if (run.hasEnded || this.stopping) return;
      failed = (await works().catch(() => false)) ? 0 : failed + 1;
    }
    if (!this.stopping) await this.end(run, hungGraceMs);
  }

  private launch(): Run {
    const { name } = this.component;
    const program = this.component.program();
    const child = startProgram(program, logFile(this.paths, name), pidFile(this.paths, name));
    const ended = new Promise<string>((done) => {
      child.once('error', (error) => done(error.message));
      child.once('exit', (code, signal) => done(signal ? `ended by ${signal}` : `ended with code ${code}`));
    });
    const run: Run = { child, program, ended, hasEnded: child.pid === undefined };
    void ended.then(() => {
      run.hasEnded = true;
      rmSync(pidFile(this.paths, name), { force: true });
    });
    this.run = run;
    this.change('starting');
    return run;
  }

  private async end(run: Run, graceMs = run.program.stopGraceMs): Promise<void> {
    const { pid } = run.child;
    if (run.hasEnded || pid === undefined) return;
    await endProcess(pid, { signal: run.program.stopSignal, graceMs });
    await run.ended;
  }

  /** Ends it in order, within its grace, for good. */
  async stop(): Promise<void> {
    if (this.state === 'stopped') return;
    this.stopping = true;
    this.stopped.abort();
    this.change('stopping');
    if (this.run) await this.end(this.run);
    await this.loop;
    this.change('stopped');
  }

  /** Ends it at once, for a person who presses Ctrl-C twice. */
  kill(): void {
    if (this.run && !this.run.hasEnded) this.run.child.kill('SIGKILL');
  }

  private change(state: ComponentState): void {
    this.state = state;
    this.since = new Date();
    if (state === 'running') this.detail = undefined;
    this.onChange();
  }
}
