import type { Operation, Outage } from './operation.js';

/** Servers learn by probes, each second, how far a replica is. */
const NOTICED_MS = 2_000;

/** Which errors the outages excuse. It is told of every operation in the order of completion. */
export class Excuses {
  /** The highest token that a replica has answered in an outage, and when. */
  readonly #answered = new Map<Outage, { readonly token: number; readonly at: number }>();

  constructor(private readonly outages: readonly Outage[]) {}

  /** A read that went well: what it shows that replicas have, they have from then on. */
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

  /** A replica had answered a token as high before. Whose token nobody has seen gets the benefit of the doubt. */
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
