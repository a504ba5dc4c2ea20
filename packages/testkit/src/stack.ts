import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '@novacron/local-stack/config';
import {
  freeOffset,
  StackProcess,
  type StackProcessOptions,
} from '@novacron/local-stack/stack/stack-process';
import type { Component, RunningStack } from './running-stack.js';
import { privateDirectory, sweepPrivateDirectories } from './test-home.js';

export interface TestStackOptions extends Omit<StackProcessOptions, 'home' | 'offset'> {
  /** the parent of the home, for example on its own disk (default the system's temporary directory) */
  readonly parent?: string;
}

/** A local stack for one test file. When its test process dies, the next test process ends it. */
export class TestStack extends StackProcess implements RunningStack {
  readonly gateways = 1;

  private constructor(
    options: StackProcessOptions,
    private readonly directory: string,
  ) {
    super(options);
  }

  /** Creates a home without starting it. */
  static async create({ parent = tmpdir(), ...options }: TestStackOptions = {}): Promise<TestStack> {
    await sweepPrivateDirectories();
    const directory = privateDirectory();
    // Below the system's temporary directory, because a unix socket's path has at most 107 bytes.
    const home = mkdtempSync(join(parent, 'novacron-test-'));
    chmodSync(home, 0o711); // the postgres user needs access to its data
    writeFileSync(join(directory, 'stack-home'), home);
    return new TestStack({ ...options, home, offset: await freeOffset() }, directory);
  }

  components(): Component[] {
    const status = readFileSync(join(this.home, 'run', 'status.json'), 'utf8');
    return (JSON.parse(status) as { components: Component[] }).components;
  }

  /** Runs the gateway's seed command with the settings of the running gateway. */
  async seed(variables: Readonly<Record<string, string>>): Promise<void> {
    const env = { ...environmentOf(this.pid('gateway')), ...variables };
    const program = join(repositoryRoot, 'apps', 'gateway', 'dist', 'seed.js');
    await promisify(execFile)(process.execPath, [program], { env });
  }

  override async remove(): Promise<void> {
    await super.remove();
    rmSync(this.home, { recursive: true, force: true });
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Starts a stack: `beforeAll(async () => { stack = await useTestStack() }, 120_000)`, `afterAll(() => stack.remove())`. */
export async function useTestStack(options: TestStackOptions = {}): Promise<TestStack> {
  const stack = await TestStack.create(options);
  try {
    await stack.start();
    return stack;
  } catch (error) {
    await stack.remove();
    throw error;
  }
}

/** The environment of a running process, for commands that need the same settings. */
export function environmentOf(pid: number | undefined): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}
