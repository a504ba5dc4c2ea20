import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DriverError } from '../driver.js';

const run = promisify(execFile);
const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** The programs of QEMU, by name or path. */
export interface QemuPrograms {
  readonly qemu: string;
  readonly qemuImg: string;
}

type Program = keyof QemuPrograms;

export const QEMU_PROGRAMS: QemuPrograms = { qemu: `qemu-system-${arch}`, qemuImg: 'qemu-img' };

/**
 * Runs a program of QEMU to its end.
 * @throws DriverError: not installed, no space, too slow, or failed; its cause has the program's output
 */
export async function runProgram(
  programs: QemuPrograms,
  program: Program,
  args: readonly string[],
  options: { cwd: string; timeoutMs: number; signal?: AbortSignal },
): Promise<void> {
  const { cwd, timeoutMs, signal } = options;
  try {
    await run(programs[program], args, {
      cwd,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw explained(
      program,
      error as NodeJS.ErrnoException & { stderr?: string; killed?: boolean },
      timeoutMs,
    );
  }
}

/** The program's output may name paths, so it is the cause. */
function explained(
  program: Program,
  error: NodeJS.ErrnoException & { stderr?: string; killed?: boolean },
  timeoutMs: number,
): DriverError {
  const cause = { cause: error };
  const name = program === 'qemu' ? 'QEMU' : 'qemu-img';
  if (error.code === 'ENOENT')
    return new DriverError('driver_error', `${name} is not installed on this host`, false, cause);
  if (error.killed)
    return new DriverError('driver_error', `${name} took longer than ${timeoutMs} ms`, true, cause);
  if (/no space left|disk quota/i.test(error.stderr ?? error.message))
    return new DriverError('no_space', 'the host has no disk space left', true, cause);
  const failed = program === 'qemu' ? 'QEMU did not start' : 'the disk could not be made';
  return new DriverError('driver_error', failed, true, cause);
}
