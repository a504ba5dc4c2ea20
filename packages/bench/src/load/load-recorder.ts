import { quantile } from '../stats.js';
import { scenario, type Endpoint, type Figures } from './scenario.js';

interface Sample {
  readonly endpoint: Endpoint;
  readonly peak: boolean;
  readonly ms: number;
}

/** Records the answers, and computes k6's metrics from them. */
export class LoadRecorder {
  readonly #samples: Sample[] = [];
  readonly #reasons = new Map<string, number>();
  #failed = 0;
  #errors = 0;
  #checks = { passes: 0, fails: 0 };

  get requests(): number {
    return this.#samples.length;
  }

  /** Unexpected answers and missing ones, with their counts. */
  get reasons(): ReadonlyMap<string, number> {
    return this.#reasons;
  }

  /** Records one request. Status 0: it was not answered, for `reason`. */
  add(endpoint: Endpoint, peak: boolean, status: number, ms: number, reason = `${status}`): void {
    this.#samples.push({ endpoint, peak, ms });
    if (status < 200 || status >= 400) this.#failed += 1;
    if (status !== scenario.DUE[endpoint]) {
      this.#errors += 1;
      const what = `${endpoint}: ${reason}`;
      this.#reasons.set(what, (this.#reasons.get(what) ?? 0) + 1);
    }
    for (const holds of Object.values(scenario.CHECKS[endpoint]))
      this.#checks[holds(status, ms) ? 'passes' : 'fails'] += 1;
  }

  /** k6's metrics by their names. Without requests the result is empty, and no threshold holds. */
  metrics(seconds: number): Record<string, Figures> {
    const count = this.#samples.length;
    if (count === 0) return {};
    const { passes, fails } = this.#checks;
    const parts = scenario.PARTS.flatMap((part) => {
      const [, endpoint, peak] = /endpoint:(\w+)(,peak:true)?/.exec(part) ?? [];
      const of = this.#samples.filter((one) => one.endpoint === endpoint && (peak === undefined || one.peak));
      return of.length === 0 ? [] : [[part, durations(of)] as const];
    });
    return {
      http_reqs: { count, rate: count / seconds },
      http_req_duration: durations(this.#samples),
      http_req_failed: { rate: this.#failed / count },
      errors: { rate: this.#errors / count },
      checks: { rate: passes / (passes + fails) },
      ...Object.fromEntries(parts),
    };
  }
}

function durations(samples: readonly Sample[]): Figures {
  const ms = samples.map((sample) => sample.ms);
  return {
    count: ms.length,
    med: quantile(ms, 0.5),
    'p(95)': quantile(ms, 0.95),
    'p(99)': quantile(ms, 0.99),
    max: ms.reduce((most, one) => Math.max(most, one), 0),
  };
}
