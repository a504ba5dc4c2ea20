import { L2 } from '@novacron/cache/l2';

let dying = false;
process.on('SIGUSR2', () => (dying = true));

const { invalidate } = L2.prototype;

/** After SIGUSR2 the process dies at the next tombstone: before its write, or after it and before the publish. */
L2.prototype.invalidate = async function (this: L2, ...args) {
  if (dying && Math.random() < 0.5) process.kill(process.pid, 'SIGKILL');
  await invalidate.apply(this, args);
  if (dying) process.kill(process.pid, 'SIGKILL');
};
