import { metricPartition } from '@novacron/contracts/metrics';
import type { Database, Statement } from '@novacron/postgres/database';

/** The tenant of a VM, and the host on which it runs or ran last. */
export interface VmEntry {
  readonly vmId: string;
  readonly tenantId: string;
  readonly hostId: string | null;
  /** Milliseconds since 1970; null while it lives. */
  readonly deletedAt: number | null;
  /** The partition of the METRICS stream for its points. */
  readonly partition: number;
}

/** The orchestrator's answer for a known VM. */
export interface Located {
  readonly id: string;
  readonly tenantId: string;
  readonly hostId: string | null;
  readonly deleted: boolean;
  /** Milliseconds since 1970; missing from an orchestrator of the previous version. */
  readonly deletedAt?: number | null | undefined;
}

/** The orchestrator is unavailable. The caller should retry instead of dropping points. */
export class DirectoryUnavailable extends Error {
  override readonly name = 'DirectoryUnavailable';
}

export interface DirectoryOptions {
  readonly db: Database;
  /** Asks the orchestrator about at most 1,000 VMs. */
  readonly locate: (ids: readonly string[]) => Promise<readonly Located[]>;
  readonly now?: () => number;
  /** How long to wait for an unavailable orchestrator before points of unknown VMs are dropped. */
  readonly patienceMs?: number;
}

const READ: Statement = {
  name: 'metrics_directory',
  text: `SELECT vm_id AS "vmId", tenant_id AS "tenantId", host_id AS "hostId", deleted_at::float8 AS "deletedAt"
         FROM metrics.vms WHERE vm_id = ANY ($1::uuid[])`,
};
const REMEMBER: Statement = {
  name: 'metrics_directory_remember',
  text: `INSERT INTO metrics.vms (tenant_id, vm_id, host_id, version, deleted_at)
         SELECT t, v, h, 0, d FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[]) AS located (t, v, h, d)
         ON CONFLICT DO NOTHING`,
};

const LOCATE_AT_MOST = 1_000;
/** A write asks about this many VMs at most. Further unknown VMs wait for a later write of their host. */
const LOCATE_PER_WRITE = 4_000;
/** An entry that agrees with its writer is valid this long. So long a host that lost a VM may still write. */
const BELIEVED_MS = 5_000;
/** A VM that the orchestrator does not know, or places elsewhere, is not asked about again within this time. */
const REFUSED_MS = 2_000;
const MAX_ENTRIES = 200_000;

interface Cached {
  readonly entry: VmEntry | undefined;
  readonly until: number;
  /** The orchestrator has confirmed it, so another request would return the same for now. */
  readonly confirmed: boolean;
}

/**
 * VM → tenant and host, from three levels: this process's memory for seconds, the table that the events update, and the
 * orchestrator for VMs whose events have not arrived or disagree with the host.
 */
export class Directory {
  readonly #cache = new Map<string, Cached>();
  readonly #now: () => number;
  readonly #patienceMs: number;
  #downSince: number | undefined;

  constructor(private readonly options: DirectoryOptions) {
    this.#now = options.now ?? Date.now;
    this.#patienceMs = options.patienceMs ?? 10_000;
  }

  /**
   * The entries of all known VMs.
   * @param reported VM → the host that reports it; null: any source may write it
   * @throws DirectoryUnavailable while the orchestrator is needed but unavailable, for at most `patienceMs`
   */
  async lookup(reported: ReadonlyMap<string, string | null>): Promise<Map<string, VmEntry>> {
    if (this.#cache.size > MAX_ENTRIES) this.#cache.clear();
    const doubtful = (id: string) => !this.#settled(id, reported.get(id) ?? null);
    const unseen = [...reported.keys()].filter(doubtful);
    if (unseen.length > 0) await this.#read(unseen);
    const unknown = unseen.filter(doubtful);
    if (unknown.length > 0) await this.#ask(unknown.slice(0, LOCATE_PER_WRITE));
    const found = new Map<string, VmEntry>();
    for (const id of reported.keys()) {
      const entry = this.#cache.get(id)?.entry;
      if (entry) found.set(id, entry);
    }
    return found;
  }

  #settled(id: string, host: string | null): boolean {
    const cached = this.#cache.get(id);
    if (!cached || cached.until <= this.#now()) return false;
    return cached.confirmed || (cached.entry !== undefined && agrees(cached.entry, host));
  }

  async #read(ids: string[]): Promise<void> {
    const { rows } = await this.options.db.primary.query<Omit<VmEntry, 'partition'>>(READ, [ids]);
    for (const id of ids) this.#cache.delete(id);
    const until = this.#now() + BELIEVED_MS;
    for (const row of rows) {
      const entry = { ...row, partition: metricPartition(row.vmId) };
      this.#cache.set(entry.vmId, { entry, until, confirmed: false });
    }
  }

  async #ask(ids: string[]): Promise<void> {
    const located: Located[] = [];
    try {
      for (let at = 0; at < ids.length; at += LOCATE_AT_MOST) {
        located.push(...(await this.options.locate(ids.slice(at, at + LOCATE_AT_MOST))));
      }
      this.#downSince = undefined;
    } catch (error) {
      this.#downSince ??= this.#now();
      if (this.#now() - this.#downSince < this.#patienceMs) {
        throw new DirectoryUnavailable(`${ids.length} VMs cannot be looked up`, { cause: error });
      }
      return;
    }
    await this.#remember(located);
    const answers = new Map(located.map((one) => [one.id, this.#entryOf(one)]));
    const until = this.#now() + REFUSED_MS;
    for (const id of ids) this.#cache.set(id, { entry: answers.get(id), until, confirmed: true });
  }

  #entryOf(located: Located): VmEntry {
    const before = this.#cache.get(located.id)?.entry;
    const deletedAt = located.deleted ? (located.deletedAt ?? before?.deletedAt ?? this.#now()) : null;
    const hostId = located.hostId ?? (located.deleted ? (before?.hostId ?? null) : null);
    const { id: vmId, tenantId } = located;
    return { vmId, tenantId, hostId, deletedAt, partition: metricPartition(vmId) };
  }

  /** Adds VMs that the table does not have. Existing rows are changed by events only. */
  async #remember(located: readonly Located[]): Promise<void> {
    const entries = located
      .map((one) => this.#entryOf(one))
      .filter(({ vmId }) => !this.#cache.get(vmId)?.entry);
    if (entries.length === 0) return;
    const column = <K extends keyof VmEntry>(key: K) => entries.map((entry) => entry[key]);
    const params = [column('tenantId'), column('vmId'), column('hostId'), column('deletedAt')];
    await this.options.db.primary.batch({}, [{ statement: REMEMBER, params }]);
  }
}

function agrees(entry: VmEntry, host: string | null): boolean {
  return host === null || entry.hostId === host;
}
