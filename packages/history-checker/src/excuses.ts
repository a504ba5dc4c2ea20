import type { Operation, Outage } from './operation.js';

/** Probes of replicas run once a second. */
const NOTICED_MS = 2_000;

/** Decides which errors the outages excuse. Receives every operation in the order of completion. */
export class Excuses {
  /** The highest position that a replica has served in an outage, and its time. */
  readonly #answered = new Map<Outage, { readonly token: number; readonly at: number }>();

  constructor(private readonly outages: readonly Outage[]) {}

  /** Records a successful read: from then on the replicas have reached its position. */
  answered(operation: Operation): void {
    if (operation.servedFrom !== 'replica' || !isCausal(operation)) return;
    for (const outage of this.#around(operation)) {
      if (outage.from > operation.start) continue;
      const { tokenBefore: token, end: at } = operation;
      if (token > (this.#answered.get(outage)?.token ?? 0)) this.#answered.set(outage, { token, at });
    }
  }

  excuse(operation: Operation): boolean {
    return this.#around(operation).some((outage) => !this.#replicaCould(outage, operation));
  }

  /** Whether a replica had already served this position. An unknown position is excused. */
  #replicaCould(outage: Outage, operation: Operation): boolean {
    if (outage.replicasAnswer !== true || !isCausal(operation) || operation.tokenBefore === 0) return false;
    const answered = this.#answered.get(outage);
    if (answered === undefined || operation.start < answered.at + NOTICED_MS) return false;
    return operation.tokenBefore <= answered.token;
  }

  #around({ start, end, gateway }: Operation): Outage[] {
    return this.outages.filter(
      ({ from, to, gateway: its }) => from <= end && to >= start && (its ?? gateway) === gateway,
    );
  }
}

function isCausal(operation: Operation): boolean {
  return 'consistency' in operation && operation.consistency === 'causal';
}
