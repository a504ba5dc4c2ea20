import type { Database, Statement } from '@novacron/postgres/database';
import type { Logger } from '@novacron/telemetry/logger';

const BEAT_MS = 1_000;
/** Who was silent for so long is taken for dead. Wrongly taken, its next commit finds its claims lost: no harm. */
const SILENT_S = 5;

const BEAT: Statement = {
  name: 'workers-beat',
  text: `INSERT INTO workers (owner, seen_at) VALUES ($1, now())
    ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at`,
};
const RELEASE: Statement = {
  name: 'workers-release',
  table: 'jobs',
  text: `WITH dead AS (
      DELETE FROM workers WHERE seen_at < now() - interval '${SILENT_S} s' RETURNING owner
    )
    UPDATE jobs SET lease_owner = NULL, status = 'waiting', due_at = now() FROM dead
    WHERE jobs.lease_owner = dead.owner AND jobs.status = 'running'`,
};
const FORGET: Statement = { name: 'workers-forget', text: 'DELETE FROM workers WHERE owner = $1' };

/**
 * Tells the others that this process works, and frees the jobs of one that does not any more. The lease of a job
 * would free it as well, much later: it has to outlast the slowest step.
 */
export class Liveness {
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: Database,
    private readonly owner: string,
    private readonly onFreed: () => void,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {}

  /** Resolves after the first beat: a claim may be taken then. */
  async start(): Promise<void> {
    await this.beat();
    this.#timer = setInterval(() => (this.#beating = this.#safely()), BEAT_MS);
    this.#timer.unref();
  }

  /** Ends after every claim was given back. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    await this.db.primary.batch({}, [{ statement: FORGET, params: [this.owner] }]);
  }

  async beat(): Promise<void> {
    const { results } = await this.db.primary.batch({}, [
      { statement: BEAT, params: [this.owner] },
      { statement: RELEASE },
    ]);
    const freed = results[1]?.rowCount ?? 0;
    if (freed === 0) return;
    this.logger.warn({ jobs: freed }, 'a worker died: its jobs go on');
    this.onFreed();
  }

  async #safely(): Promise<void> {
    try {
      await this.beat();
    } catch (error) {
      this.logger.warn({ err: error }, 'the other workers could not be told that this one lives');
    }
  }
}
