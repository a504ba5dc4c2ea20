import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeze } from '@novacron/testkit/freeze';

/** A real nats-server with JetStream for one test file, on a port of its own that survives a restart. */
export class TestNats {
  #process: ChildProcess | undefined;

  private constructor(
    private readonly dir: string,
    readonly port: number,
  ) {}

  static async start(maxPayload = 1_048_576): Promise<TestNats> {
    const nats = await TestNats.prepare(`max_payload: ${maxPayload}`);
    await nats.up();
    return nats;
  }

  /** Servers that share one JetStream. */
  static async startCluster(size: number): Promise<TestNats[]> {
    const ports = await Promise.all(Array.from({ length: size }, freePort));
    const routes = ports.map((port) => `"nats-route://127.0.0.1:${port}"`).join(', ');
    const servers = await Promise.all(
      ports.map((port) =>
        TestNats.prepare(`cluster { name: test, listen: "127.0.0.1:${port}", routes: [${routes}] }`),
      ),
    );
    await Promise.all(servers.map((server) => server.up()));
    return servers;
  }

  private static async prepare(settings: string): Promise<TestNats> {
    const dir = mkdtempSync(join(tmpdir(), 'novacron-nats-'));
    const nats = new TestNats(dir, await freePort());
    writeFileSync(
      join(dir, 'nats.conf'),
      `server_name: ${nats.name}
listen: "127.0.0.1:${nats.port}"
${settings}
jetstream { store_dir: "${dir}/js" }
authorization { users: [
  { user: client, password: c, permissions: { publish: ">", subscribe: ["_INBOX.client.>"], allow_responses: true } }
  { user: server, password: s, permissions: { publish: ">", subscribe: ["rpc.server.>", "hosts.>", "_INBOX.server.>"], allow_responses: true } }
] }
`,
    );
    return nats;
  }

  /** The server's name in a cluster. */
  get name(): string {
    return `nats-${this.port}`;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  async up(): Promise<void> {
    for (const deadline = performance.now() + 45_000; performance.now() < deadline; await sleep(25)) {
      // A connection of another program may use the port at this moment.
      if (this.#process?.exitCode !== null || this.#process.signalCode !== null) {
        this.#process = spawn('nats-server', ['-c', join(this.dir, 'nats.conf')], { stdio: 'ignore' });
      }
      if (await answers(this.port)) return;
    }
    throw new Error('nats-server does not start');
  }

  /** kill -9. */
  async kill(): Promise<void> {
    const running = this.#process;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await gone;
  }

  /** `SIGSTOP` stops its answers while every connection stays open; `SIGCONT` continues. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    if (name === 'SIGSTOP') freeze(this.#process?.pid);
    else this.#process?.kill(name);
  }

  /** Deletes everything that JetStream has stored. */
  loseStore(): void {
    rmSync(join(this.dir, 'js'), { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', (greeting) => {
      resolve(greeting.toString().includes('"jetstream":true'));
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
