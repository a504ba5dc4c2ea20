import { Excuses } from './excuses.js';
import { Knowledge, type Known } from './knowledge.js';
import type { History, ListFilter, Operation, Read, ObservedVm, Violation } from './operation.js';
import { Truth } from './truth.js';

export interface CheckOptions {
  /** The longest time of an answer, errors included, milliseconds. */
  readonly longestMs?: number;
  readonly maxViolations?: number;
}

/** The gateway's deadline is 10 s. The rest is a margin for a busy machine. */
const LONGEST_MS = 15_000;
/** Statuses that a read may answer. */
const READ_STATUSES = new Set([200, 304, 404]);
/** Statuses by which a write may be refused because of the VM's state. */
const WRITE_STATUSES = new Set([200, 201, 202, 204, 404, 409, 412]);

/**
 * Checks a history against the consistency guarantees for readers:
 * - a read is never older than its session's own writes and reads, or those of the session whose token it adopted;
 * - a list contains every VM that the reader knows, at this version or newer, unless it was deleted or left the filter;
 * - a VM that a session observed as deleted does not return, and a deleted VM is never shown as alive;
 * - a `strong` read shows every write that was acknowledged to any session before it began;
 * - a version has one body, the body of the last write up to it, and a session never observes another tenant's VM;
 * - errors arrive in bounded time and only during an outage, and a 503 has a `Retry-After`.
 */
export function check(history: History, options: CheckOptions = {}): Violation[] {
  return new Checker(history, options).run();
}

class Checker {
  readonly #sessions = new Map<number, Knowledge>();
  /** For sessions without a token: the gateway process that remembers them. */
  readonly #remembered = new Map<number, string>();
  /** The number of sessions that will still adopt the token of an operation. */
  readonly #adopters = new Map<number, number>();
  readonly #handedOver = new Map<number, Knowledge>();
  readonly #truth: Truth;
  readonly #excuses: Excuses;
  readonly #violations: Violation[] = [];

  constructor(
    private readonly history: History,
    private readonly options: CheckOptions,
  ) {
    this.#truth = new Truth(history.operations);
    this.#excuses = new Excuses(history.outages);
  }

  run(): Violation[] {
    const { operations } = this.history;
    for (const { adopts } of operations) {
      if (adopts !== undefined) this.#adopters.set(adopts, (this.#adopters.get(adopts) ?? 0) + 1);
    }
    for (const operation of operations) {
      const knowledge = this.#knowledgeOf(operation);
      this.#inBoundedTime(operation);
      this.#one(operation, knowledge);
      if (this.#adopters.has(operation.id)) this.#handedOver.set(operation.id, knowledge.copy());
      if (this.#violations.length >= (this.options.maxViolations ?? 20)) break;
    }
    return this.#violations;
  }

  #knowledgeOf({ session, adopts, carriesToken, gateway, incarnation }: Operation): Knowledge {
    const server = `${gateway}.${incarnation}`;
    const forgotten = !carriesToken && this.#remembered.get(session) !== server;
    this.#remembered.set(session, server);
    const knowledge =
      this.#adopted(adopts) ?? (forgotten ? undefined : this.#sessions.get(session)) ?? new Knowledge();
    this.#sessions.set(session, knowledge);
    return knowledge;
  }

  #adopted(adopts: number | undefined): Knowledge | undefined {
    if (adopts === undefined) return undefined;
    const adopted = this.#handedOver.get(adopts);
    if (!adopted) throw new Error(`the token of operation ${adopts} was adopted before it ended`);
    const left = (this.#adopters.get(adopts) ?? 0) - 1;
    this.#adopters.set(adopts, left);
    if (left === 0) this.#handedOver.delete(adopts);
    return adopted.copy();
  }

  #one(operation: Operation, knowledge: Knowledge): void {
    const { kind, status } = operation;
    const reads = kind === 'get' || kind === 'list';
    if (!(reads ? READ_STATUSES : WRITE_STATUSES).has(status)) return this.#failed(operation);
    this.#excuses.answered(operation);
    if (kind === 'get') this.#get(operation, knowledge);
    else if (kind === 'list') this.#list(operation, knowledge);
    else this.#write(operation, knowledge);
  }

  #get(operation: Extract<Operation, { kind: 'get' }>, knowledge: Knowledge): void {
    const { vm, observed, id } = operation;
    if (observed) return this.#shown(operation, observed, knowledge);
    // An old state may precede the VM's creation.
    if (operation.consistency === 'eventual') return;
    this.#absent(operation, vm, knowledge);
    knowledge.ended(vm, 'gone', id);
  }

  #list(operation: Extract<Operation, { kind: 'list' }>, knowledge: Knowledge): void {
    const { items = [], filter, consistency, id } = operation;
    const shown = new Set(items.map(({ vm }) => vm));
    if (shown.size < items.length)
      this.#violated('twice-in-one-page', 'a VM is in the page twice', operation);
    const known = [...knowledge.all()];
    for (const observed of items) {
      this.#fits(operation, observed, filter);
      this.#shown(operation, observed, knowledge);
    }
    if (filter.partial === true || filter.state !== undefined || consistency === 'eventual') return;
    for (const [vm, what] of known) {
      if (shown.has(vm) || what.end === 'gone' || !what.name.startsWith(filter.namePrefix ?? '')) continue;
      if (filter.group !== undefined && this.#mayHaveLeft(operation, vm, what, filter.group)) continue;
      this.#absent(operation, vm, knowledge);
      if (filter.group === undefined) knowledge.ended(vm, 'gone', id);
    }
  }

  #mayHaveLeft({ end }: Operation, vm: string, { group, version }: Known, wanted: string): boolean {
    return group !== wanted || this.#truth.mayHaveLeft(vm, wanted, version, end);
  }

  #fits(operation: Read, observed: ObservedVm, { group, state }: ListFilter): void {
    const wrong =
      (group !== undefined && observed.group !== group) || (state !== undefined && observed.state !== state);
    if (wrong)
      this.#violated(
        'outside-of-filter',
        `${observed.vm} has group ${observed.group}, state ${observed.state}`,
        operation,
      );
  }

  /** Checks a VM of an answer. */
  #shown(operation: Read, observed: ObservedVm, knowledge: Knowledge): void {
    const { vm, version, state } = observed;
    if ((this.#truth.tenantOf(vm) ?? operation.tenant) !== operation.tenant)
      this.#violated('of-another-tenant', `${vm} is another tenant's`, operation);
    const wrong = this.#truth.contradiction(observed, operation.id);
    if (wrong) this.#violated('body-of-another-version', `${vm}: ${wrong.says}`, operation, wrong.evidence);
    if (operation.consistency !== 'eventual') {
      const known = knowledge.of(vm);
      if (known && version < known.version)
        this.#violated(
          'older-than-known',
          `${vm} is shown at version ${version}; its reader knew ${known.version}`,
          operation,
          known.from,
        );
      else if (known?.end === 'gone')
        this.#violated(
          'back-from-the-dead',
          `${vm} is shown (${state}) after it was observed to be gone`,
          operation,
          known.from,
        );
      else if (known?.end === 'deleting' && state !== 'deleting')
        this.#violated(
          'deleted-shown-alive',
          `${vm} is shown as ${state} after its delete was accepted`,
          operation,
          known.from,
        );
    }
    if (operation.consistency === 'strong') this.#strong(operation, observed);
    knowledge.saw(vm, observed, operation.id);
  }

  #strong(operation: Read, { vm, version }: ObservedVm): void {
    const { version: reached, from } = this.#truth.reachedBy(vm, operation.start);
    if (version < reached)
      this.#violated(
        'strong-read-is-old',
        `${vm} is shown at version ${version}; ${reached} had been acknowledged`,
        operation,
        from,
      );
  }

  /** Checks a VM that the reader knows and the answer does not contain. */
  #absent(operation: Operation, vm: string, knowledge: Knowledge): void {
    const known = knowledge.of(vm);
    if (!known || known.version === 0 || known.end !== 'none') return;
    if (this.#truth.mayBeDeleted(vm, operation.end)) return;
    this.#violated(
      'missing',
      `${vm} is missing; its reader knew version ${known.version}, and no session deleted it`,
      operation,
      known.from,
    );
  }

  #write(operation: Exclude<Operation, Read>, knowledge: Knowledge): void {
    const { id, status } = operation;
    if (operation.kind === 'delete') {
      if (status === 202) knowledge.ended(operation.vm, 'deleting', id);
      if (status === 404) this.#absent(operation, operation.vm, knowledge);
      if (status === 404 || status === 204) knowledge.ended(operation.vm, 'gone', id);
      return;
    }
    if (operation.kind === 'patch' && status === 404) {
      this.#absent(operation, operation.vm, knowledge);
      knowledge.ended(operation.vm, 'gone', id);
    }
    const { observed } = operation;
    if (!observed) return;
    const known = knowledge.of(observed.vm);
    if (known && observed.version <= known.version)
      this.#violated(
        'write-did-not-move',
        `${observed.vm} was written at version ${observed.version}; ${known.version} was known`,
        operation,
        known.from,
      );
    knowledge.saw(observed.vm, observed, id);
  }

  #inBoundedTime(operation: Operation): void {
    const took = operation.end - operation.start;
    if (took > (this.options.longestMs ?? LONGEST_MS))
      this.#violated('too-slow', `the answer took ${Math.round(took)} ms`, operation);
  }

  #failed(operation: Operation): void {
    const { status, code, retryAfter } = operation;
    const inForm = [503, 504, 0, -1].includes(status);
    if (status === 503 && retryAfter === undefined)
      this.#violated('no-retry-after', `503 ${code ?? ''} without Retry-After`, operation);
    if (!inForm) this.#violated('unexpected-answer', `${status} ${code ?? ''}`, operation);
    else if (!this.#excuses.excuse(operation))
      this.#violated(
        'error-without-outage',
        `${status} ${code ?? ''} though another server could answer`,
        operation,
      );
  }

  #violated(rule: string, says: string, operation: Operation, evidence?: number): void {
    this.#violations.push({ rule, says, operation, ...(evidence === undefined ? {} : { evidence }) });
  }
}
