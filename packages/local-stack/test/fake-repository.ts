import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Serves /ready on its ops port and ends on SIGTERM, like every service. An agent starts one fake guest that outlives it. */
const main = `
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdirSync } from 'node:fs';
const { env } = process;
console.log(JSON.stringify({ msg: 'up', home: env.NOVACRON_HOME, user: env.NOVACRON_NATS_USER, primary: env.NOVACRON_PG_PRIMARY, replicas: env.NOVACRON_PG_REPLICAS }));
let waits = false;
process.on('SIGUSR2', () => (waits = true));
const checks = { postgres: { ok: false, detail: 'no answer' }, nats: { ok: true } };
createServer((_, response) => {
  response.statusCode = waits ? 503 : 200;
  response.end(JSON.stringify({ ready: !waits, checks }));
}).listen(Number(env.NOVACRON_OPS_PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
if (env.NOVACRON_AGENT_DRIVER === 'qemu') {
  const cwd = env.NOVACRON_AGENT_STATE_DIR;
  mkdirSync(cwd, { recursive: true });
  const guest = ['-e', 'setInterval(() => {}, 1e9)'];
  spawn(process.execPath, [...guest, cwd + '/vm-1.qcow2'], { argv0: 'qemu-system-x86_64', detached: true, stdio: 'ignore' }).unref();
  spawn(process.execPath, guest, { argv0: 'qemu-system-x86_64', detached: true, stdio: 'ignore', cwd }).unref();
}
`;

const apps = ['gateway', 'vm-orchestrator', 'metrics-ingest', 'cache-invalidator', 'host-agent'];

/** A directory whose apps/ contain the smallest programs that behave like services. */
export function fakeRepository(dir: string): string {
  for (const app of apps) {
    mkdirSync(join(dir, 'apps', app, 'dist'), { recursive: true });
    writeFileSync(join(dir, 'apps', app, 'dist', 'main.js'), main);
  }
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  const seed = `if (!process.env.NOVACRON_SEED_TOKEN) process.exit(1);`;
  writeFileSync(join(dir, 'apps', 'gateway', 'dist', 'seed.js'), seed);
  return dir;
}
