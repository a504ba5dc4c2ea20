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

export const QEMU_PROGRAMS: QemuPrograms = { qemu: `qemu-system-${arch}`, qemuImg: 'qemu-img' };

/**
 * Runs a program of QEMU to its end.
 * @throws DriverError: not installed, no space, or what it said.
 */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: { cwd: string; timeoutMs: number; signal?: AbortSignal },
): Promise<void> {
  const { cwd, timeoutMs, signal } = options;
  try {
    await run(file, args, { cwd, timeout: timeoutMs, killSignal: 'SIGKILL', ...(signal ? { signal } : {}) });
  } catch (error) {
    signal?.throwIfAborted();
    throw explained(file, error as NodeJS.ErrnoException & { stderr?: string; killed?: boolean }, timeoutMs);
  }
}

function explained(
  file: string,
  error: NodeJS.ErrnoException & { stderr?: string; killed?: boolean },
  timeoutMs: number,
): DriverError {
  const cause = { cause: error };
  if (error.code === 'ENOENT')
    return new DriverError('driver_error', `${file} is not installed on this host`, false, cause);
  if (error.killed)
    return new DriverError('driver_error', `${file} took longer than ${timeoutMs} ms`, true, cause);
  const said = error.stderr?.trim().split('\n').at(-1) || error.message;
  if (/no space left|disk quota/i.test(said))
    return new DriverError('no_space', `${file}: ${said}`, true, cause);
  return new DriverError('driver_error', `${file}: ${said}`, true, cause);
}
