/** A VM as an answer showed it. */
export interface Seen {
  /** Its id; ids are never used again. */
  readonly vm: string;
  readonly version: number;
  /** Number of the write whose tags it carries. */
  readonly write: number;
  /** Never changed here. */
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
  /** The page may hold fewer than there are: what it leaves out says nothing. */
  readonly partial?: boolean;
}

interface Common {
  /** In the order of completion, from 0. */
  readonly id: number;
  readonly session: number;
  readonly tenant: number;
  readonly gateway: number;
  /** Grows when that gateway process is started again: who carries no token is then unknown to it. */
  readonly incarnation: number;
  /** Milliseconds since the start of the run. */
  readonly start: number;
  readonly end: number;
  /** HTTP status; 0: the connection broke or was refused; -1: no answer in time. */
  readonly status: number;
  /** Of a 503: seconds after which to try again. */
  readonly retryAfter?: number;
  /** Code of the problem, or the reason of a broken connection. */
  readonly code?: string;
  readonly servedFrom?: ServedFrom;
  /** false: this session never sends one. */
  readonly carriesToken: boolean;
  /** LSN in the token that was sent and that came back; 0: none. */
  readonly tokenBefore: number;
  readonly tokenAfter: number;
  /** Before this operation the session went on from what another one knew after its operation with this id. */
  readonly adopts?: number;
}

type Consistency = 'causal' | 'strong' | 'eventual';

export type Operation =
  | (Common & {
      readonly kind: 'create';
      readonly write: number;
      readonly group: string;
      readonly seen?: Seen;
    })
  | (Common & {
      readonly kind: 'patch';
      readonly vm: string;
      readonly write: number;
      readonly group: string;
      readonly seen?: Seen;
    })
  | (Common & { readonly kind: 'delete'; readonly vm: string })
  | (Common & {
      readonly kind: 'get';
      readonly vm: string;
      readonly consistency: Consistency;
      readonly seen?: Seen;
    })
  | (Common & {
      readonly kind: 'list';
      readonly filter: ListFilter;
      readonly consistency: Consistency;
      readonly items?: readonly Seen[];
    });

export type Read = Extract<Operation, { kind: 'get' | 'list' }>;

/** What may make answers fail for a while. */
export interface Outage {
  readonly fault: string;
  readonly from: number;
  /** Until it was mended, and a moment for recovery; Infinity while it lasts. */
  readonly to: number;
  /** Only operations at this gateway; undefined: any. */
  readonly gateway?: number;
  /** Reads that a replica can answer are not excused. */
  readonly replicasAnswer?: boolean;
}

export interface History {
  readonly operations: readonly Operation[];
  /** Faults in whose time nobody else can answer, so that errors are no violation. */
  readonly outages: readonly Outage[];
  /** Every fault, for excerpts. */
  readonly faults: readonly Outage[];
}

export interface Violation {
  readonly rule: string;
  readonly says: string;
  readonly operation: Operation;
  /** The operation by which the reader knew better, if there is one. */
  readonly evidence?: number;
}
