import { sleep } from '@novacron/async/sleep';
import { type AnotherGateway, startAnotherGateway } from '@novacron/local-stack/stack/another-gateway';
import { type AnotherService, startAnotherService } from '@novacron/local-stack/stack/another-service';
import { layout } from '@novacron/local-stack/layout';
import { signalProcess } from '@novacron/local-stack/supervisor/processes';
import { readiness } from '@novacron/local-stack/stack/services';
import type { StackProcess } from '@novacron/local-stack/stack/stack-process';
import { readStatus } from '@novacron/local-stack/home/status';

const PAIRED = ['vm-orchestrator', 'metrics-ingest', 'cache-invalidator'] as const;
/** A host has one agent, which is restarted alone. Its VMs go on, and commands for them wait. */
const ALONE = 'host-agent-sim';
const WITHIN_MS = 120_000;
/** Where a fault would show: after a restart, before the next. */
const SETTLE_MS = 500;

export interface Restart {
  readonly name: string;
  /** from SIGTERM until it, or its successor, is ready */
  readonly ms: number;
}

/** Two of every service of a stack, of which one at a time can be restarted in order. */
export class Pairs {
  readonly #others = new Map<string, AnotherService>();
  #gateway: AnotherGateway;

  private constructor(
    private readonly stack: StackProcess,
    gateway: AnotherGateway,
  ) {
    this.#gateway = gateway;
  }

  static async start(stack: StackProcess): Promise<Pairs> {
    const pairs = new Pairs(stack, await startAnotherGateway(stack));
    try {
      for (const component of PAIRED)
        pairs.#others.set(component, await startAnotherService(stack, component));
      return pairs;
    } catch (error) {
      await pairs.end();
      throw error;
    }
  }

  /** `host:port` of both gateways. */
  get gateways(): string[] {
    return [new URL(this.stack.url).host, `127.0.0.1:${this.#gateway.httpPort}`];
  }

  /** Ends the second ones. */
  async end(): Promise<void> {
    await Promise.all([this.#gateway, ...this.#others.values()].map((other) => other.end('SIGTERM')));
  }

  /**
   * SIGTERM to each process in turn, the second ones and those that the stack supervises; the next when the one
   * before is back and ready. The gateways come first and last, since nginx leaves one alone for 30 s.
   * @param trusted resolves when the balancer sends requests to this gateway again: only then may the other one go
   * @throws when one does not end well, or does not come back
   */
  async *restartAll(trusted: (gateway: string) => Promise<void>): AsyncGenerator<Restart> {
    const [first = '', second = ''] = this.gateways;
    yield await this.#timed('gateway-2', async () => {
      await endedWell('gateway-2', this.#gateway);
      this.#gateway = await startAnotherGateway(this.stack, { httpPort: this.#gateway.httpPort });
    });
    for (const component of PAIRED) {
      const name = `${component}-2`;
      yield await this.#timed(name, async () => {
        await endedWell(name, this.#others.get(component) as AnotherService);
        this.#others.set(component, await startAnotherService(this.stack, component));
      });
      yield await this.#timed(component, () => this.#replaced(component));
    }
    yield await this.#timed(ALONE, () => this.#replaced(ALONE));
    await trusted(second);
    const last = await this.#timed('gateway', () => this.#replaced('gateway'));
    await trusted(first);
    yield last;
  }

  async #timed(name: string, restart: () => Promise<void>): Promise<Restart> {
    const begun = performance.now();
    await restart();
    const ms = performance.now() - begun;
    await sleep(SETTLE_MS);
    return { name, ms };
  }

  /** The stack starts its own again when it ends. */
  async #replaced(name: string): Promise<void> {
    const before = this.stack.pid(name);
    const status = readStatus(layout(this.stack.home));
    const opsPort = status?.components.find((component) => component.name === name)?.opsPort;
    if (before === undefined || opsPort === undefined) throw new Error(`${name} does not run`);
    process.kill(before, 'SIGTERM');
    const until = Date.now() + WITHIN_MS;
    const back = async () => {
      const pid = this.stack.pid(name);
      return pid !== undefined && pid !== before && (await readiness(opsPort)).ready;
    };
    while (signalProcess(before, 0) || !(await back())) {
      if (Date.now() > until) throw new Error(`${name} is not back after ${WITHIN_MS / 1_000} s`);
      await sleep(50);
    }
  }
}

async function endedWell(name: string, service: AnotherService): Promise<void> {
  const code = await service.end('SIGTERM');
  if (code !== 0) throw new Error(`${name} ended with ${code}: it left something behind`);
}
