import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeOffset, StackProcess, type StackProcessOptions } from '@novacron/local-stack/stack-process';
import { privateDirectory, sweepPrivateDirectories } from './test-home.js';

export type TestStackOptions = Omit<StackProcessOptions, 'home' | 'offset'>;

/** A local stack for one test file; if the test process dies, the next one ends it. */
export class TestStack extends StackProcess {
  private constructor(
    options: StackProcessOptions,
    private readonly directory: string,
  ) {
    super(options);
  }

  /** A home that has not been started yet. */
  static async create(options: TestStackOptions = {}): Promise<TestStack> {
    await sweepPrivateDirectories();
    const directory = privateDirectory();
    // Below the system's temporary directory: a unix socket's path has 107 bytes at most.
    const home = mkdtempSync(join(tmpdir(), 'novacron-test-'));
    chmodSync(home, 0o711); // else its Postgres data would have to lie elsewhere
    writeFileSync(join(directory, 'stack-home'), home);
    return new TestStack({ ...options, home, offset: await freeOffset() }, directory);
  }

  override async remove(): Promise<void> {
    await super.remove();
    rmSync(this.home, { recursive: true, force: true });
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A running stack of its own: `beforeAll(async () => { stack = await useTestStack() }, 120_000)`, `afterAll(() => stack.remove())`. */
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
