import { moduleOf } from './module-of.js';

/** The part of packages/cache that this changes. */
interface L2 {
  invalidate(...args: unknown[]): Promise<void>;
}

let dying = false;
process.on('SIGUSR2', () => (dying = true));

const { L2 } = (await moduleOf('cache', 'l2.js')) as { L2: { prototype: L2 } };
const { invalidate } = L2.prototype;

/** After SIGUSR2 the process dies at the next tombstone: before its write, or after it and before the publish. */
L2.prototype.invalidate = async function (this: L2, ...args) {
  if (dying && Math.random() < 0.5) process.kill(process.pid, 'SIGKILL');
  await invalidate.apply(this, args);
  if (dying) process.kill(process.pid, 'SIGKILL');
};
