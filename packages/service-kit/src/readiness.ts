import type { Readiness as Report } from '@novacron/telemetry/ops';

const CHECK_BOUND_MS = 1_000;
const CACHED_MS = 1_000;

type Check = () => Promise<void> | void;

/**
 * Whether this process can serve. While it starts: what it waits for. Afterwards every dependency is asked,
 * live, each within a second, and an answer is good for a second. While it drains: no.
 */
export class Readiness {
  readonly #checks = new Map<string, Check>();
  readonly #waiting = new Map<string, string>();
  #state: 'starting' | 'serving' | 'draining' = 'starting';
  #cached: { at: number; report: Promise<Report> } | undefined;

  /** `check` resolves when the dependency can be used, and throws the reason when not. */
  add(name: string, check: Check): void {
    this.#checks.set(name, check);
  }

  /** What the start waits for, and why; `undefined` when it has come. */
  waitFor(name: string, reason: string | undefined): void {
    if (reason === undefined) this.#waiting.delete(name);
    else this.#waiting.set(name, reason);
    this.#cached = undefined;
  }

  serve(): void {
    this.#state = 'serving';
    this.#cached = undefined;
  }

  drain(): void {
    this.#state = 'draining';
    this.#cached = undefined;
  }

  report(): Promise<Report> {
    const now = performance.now();
    if (this.#cached === undefined || now - this.#cached.at > CACHED_MS) {
      this.#cached = { at: now, report: this.#ask() };
    }
    return this.#cached.report;
  }

  async #ask(): Promise<Report> {
    const asked = [...this.#checks].map(async ([name, check]) => [name, await outcome(check)] as const);
    const waiting = [...this.#waiting].map(([name, detail]) => [name, { ok: false, detail }] as const);
    const checks: Record<string, { ok: boolean; detail?: string }> = Object.fromEntries([
      ...(await Promise.all(asked)),
      ...waiting,
    ]);
    if (this.#state !== 'serving') checks['process'] = { ok: false, detail: this.#state };
    return { ready: Object.values(checks).every(({ ok }) => ok), checks };
  }
}

async function outcome(check: Check): Promise<{ ok: boolean; detail?: string }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_BOUND_MS} ms`)), CHECK_BOUND_MS);
  });
  try {
    await Promise.race([Promise.resolve().then(check), late]);
    return { ok: true };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
