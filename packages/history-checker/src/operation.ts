/** A VM in an answer. */
export interface ObservedVm {
  /** Its id. Ids are never reused. */
  readonly vm: string;
  readonly version: number;
  /** The number of its last write, from its tag `n`. */
  readonly write: number;
  /** Never changes in a run. */
  readonly name: string;
  /** Its tag `group`. */
  readonly group: string;
  readonly state: string;
}

export type ServedFrom = 'l1' | 'l2' | 'replica' | 'primary';

export interface ListFilter {
  readonly group?: string;
  readonly namePrefix?: string;
  readonly state?: string;
  /** The page may be incomplete, so an absent VM proves nothing. */
  readonly partial?: boolean;
}

interface Common {
  /** Counts from 0 in the order of completion. */
  readonly id: number;
  readonly session: number;
  readonly tenant: number;
  readonly gateway: number;
  /** Increases with every restart of the gateway process, which forgets sessions without a token. */
  readonly incarnation: number;
  /** Milliseconds since the start of the run. */
  readonly start: number;
  readonly end: number;
  /** HTTP status; 0 for a broken or refused connection; -1 for no answer in time. */
  readonly status: number;
  /** The Retry-After of a 503, seconds. */
  readonly retryAfter?: number;
  /** Code of the problem, or the reason for a broken connection. */
  readonly code?: string;
  readonly servedFrom?: ServedFrom;
  /** false: the session never sends a token. */
  readonly carriesToken: boolean;
  /** WAL position in the sent and in the received token; 0 for none. */
  readonly tokenBefore: number;
  readonly tokenAfter: number;
  /** Before this operation the session adopted the token of the operation with this id. */
  readonly adopts?: number;
}

type Consistency = 'causal' | 'strong' | 'eventual';

export type Operation =
  | (Common & {
      readonly kind: 'create';
      readonly write: number;
      readonly group: string;
      readonly observed?: ObservedVm;
    })
  | (Common & {
      readonly kind: 'patch';
      readonly vm: string;
      readonly write: number;
      readonly group: string;
      readonly observed?: ObservedVm;
    })
  | (Common & { readonly kind: 'delete'; readonly vm: string })
  | (Common & {
      readonly kind: 'get';
      readonly vm: string;
      readonly consistency: Consistency;
      readonly observed?: ObservedVm;
    })
  | (Common & {
      readonly kind: 'list';
      readonly filter: ListFilter;
      readonly consistency: Consistency;
      readonly items?: readonly ObservedVm[];
    });

export type Read = Extract<Operation, { kind: 'get' | 'list' }>;

/** A time in which answers may fail. */
export interface Outage {
  readonly fault: string;
  readonly from: number;
  /** End of the repair and of the recovery time; Infinity while it lasts. */
  readonly to: number;
  /** Excuses only operations at this gateway; all when undefined. */
  readonly gateway?: number;
  /** Does not excuse reads that a replica can answer. */
  readonly replicasAnswer?: boolean;
}

export interface History {
  readonly operations: readonly Operation[];
  /** Faults during which no other process can answer, so that errors are not violations. */
  readonly outages: readonly Outage[];
  /** Every fault, for excerpts. */
  readonly faults: readonly Outage[];
}

export interface Violation {
  readonly rule: string;
  readonly says: string;
  readonly operation: Operation;
  /** The earlier operation that contradicts the answer, if there is one. */
  readonly evidence?: number;
}
