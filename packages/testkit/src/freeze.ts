import { readdirSync, readFileSync } from 'node:fs';

const PATIENCE_MS = 10_000;

/**
 * Sends SIGSTOP and returns when the kernel has stopped every thread of the process: until then a thread may still
 * answer a request. Elsewhere than on Linux it returns at once.
 * @throws RangeError without a process id; Error when the process does not exist, or is not stopped within 10 s
 */
export function freeze(pid: number | undefined): void {
  // Zero and negative numbers are process groups: kill(2).
  if (pid === undefined || pid <= 0) throw new RangeError(`${pid} is not the id of a process`);
  process.kill(pid, 'SIGSTOP');
  if (process.platform !== 'linux') return;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (const deadline = performance.now() + PATIENCE_MS; !isStopped(pid); Atomics.wait(clock, 0, 0, 1)) {
    if (performance.now() > deadline)
      throw new Error(`process ${pid} is not stopped within ${PATIENCE_MS} ms`);
  }
}

/** The state of a thread stands behind its name in parentheses (proc(5)). */
function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    return /^\) [Tt] /.test(stat.slice(stat.lastIndexOf(')')));
  });
}
