import type { Operation, Outage } from './operation.js';

/** Which errors the outages excuse. It is told of every operation in the order of completion. */
export class Excuses {
  /** The highest token that a replica has answered in an outage. */
  readonly #answered = new Map<Outage, number>();

  constructor(private readonly outages: readonly Outage[]) {}

  /** A read that went well: what it shows that replicas have, they have from then on. */
  answered(operation: Operation): void {
    if (operation.servedFrom !== 'replica' || !isCausal(operation)) return;
    for (const outage of this.#around(operation)) {
      if (outage.from > operation.start) continue;
      const known = this.#answered.get(outage) ?? 0;
      this.#answered.set(outage, Math.max(known, operation.tokenBefore));
    }
  }

  excuse(operation: Operation): boolean {
    return this.#around(operation).some((outage) => !this.#replicaCould(outage, operation));
  }

  /** A replica had answered a token as high before. Whose token nobody has seen gets the benefit of the doubt. */
  #replicaCould(outage: Outage, operation: Operation): boolean {
    if (outage.replicasAnswer !== true || !isCausal(operation) || operation.tokenBefore === 0) return false;
    return operation.tokenBefore <= (this.#answered.get(outage) ?? 0);
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
