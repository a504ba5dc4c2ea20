import { Injectable } from '@nestjs/common';
import type { JobKind } from '../vms/row.js';
import type { Operation } from './operation.js';

/** The operations that workers run, by kind. The rooms above register them before the first lease is taken. */
@Injectable()
export class OperationRegistry {
  readonly #byKind = new Map<JobKind, Operation>();

  register(operations: Iterable<Operation>): void {
    for (const operation of operations) this.#byKind.set(operation.kind, operation);
  }

  /** @throws Error when no operation of this kind was registered, which is a bug */
  operationOf(kind: JobKind): Operation {
    const operation = this.#byKind.get(kind);
    if (!operation) throw new Error(`no operation runs jobs of kind ${kind}`);
    return operation;
  }
}
