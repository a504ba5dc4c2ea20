// Loaded before the gateway of hot-reads.ts: its handler of the list takes longer, as a careless change would make it.
import { Server } from 'node:http';

const MICROS = 150;

if (process.argv[2] === 'gateway') {
  const emit = Server.prototype.emit;
  Server.prototype.emit = function (event, ...args) {
    if (event === 'request' && args[0].url.startsWith('/api/v1/vms')) {
      const until = process.hrtime.bigint() + BigInt(MICROS * 1_000);
      while (process.hrtime.bigint() < until);
    }
    return emit.call(this, event, ...args);
  };
}
