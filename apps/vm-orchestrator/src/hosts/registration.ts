import { Injectable } from '@nestjs/common';
import { ServiceConfig, ServiceLogger, SystemDatabase } from '@novacron/service-kit/inject';
import type { Registered, RegisterHost } from '@novacron/contracts/agents';
import { ServiceError } from '@novacron/contracts/errors';
import type { HostId } from '@novacron/contracts/ids';
import type { Database, Statement } from '@novacron/postgres/database';
import { isUniqueViolation } from '@novacron/postgres/failure';
import { withRetry } from '@novacron/postgres/retry';
import { counter } from '@novacron/telemetry/metrics';
import type { Logger } from '@novacron/telemetry/logger';
import type { OrchestratorConfig } from '../config.js';
import { databaseNow } from '../database/clock.js';
import { HostSnapshot } from './snapshot.js';
import { ApprovedHosts } from './approved-hosts.js';
import { approvalOf, findInviteCall, type InviteRow } from './host-invites.js';
import { contradictions, recordOf, saidCapacity, withCapacityLimit, type Approval } from './host-record.js';
import { contradicted, enter, namesOf, registeredConditions, type Before } from './registration-entry.js';
import type { HostRow } from './row.js';
import { HostSettings } from './settings.js';

const LOCK: Statement = {
  name: 'hosts-lock-to-register',
  text: 'SELECT zone, driver, labels, approved, conditions, schedulable FROM hosts WHERE id = $1 FOR UPDATE',
};
const RETIRED: Statement = {
  name: 'hosts-retired',
  text: 'SELECT host_id FROM retired_hosts WHERE host_id = $1',
};
const KNOWN_IMAGES: Statement = {
  name: 'images-known',
  text: 'SELECT name FROM images WHERE name = ANY($1) AND configured',
};
const ignoredImages = counter(
  'novacron_host_images_ignored_total',
  'Images that hosts offered and the catalogue does not have',
  [{}],
);
type Written =
  | { readonly row: HostRow; readonly generation: number; readonly refused?: undefined }
  | { readonly refused: string };

/**
 * Registers hosts. Each registration begins a new epoch, which invalidates facts of the old one. A host must agree with
 * the operator's approval, or with its first registration.
 */
@Injectable()
export class Registration {
  readonly #approved: ApprovedHosts;

  constructor(
    @SystemDatabase() private readonly db: Database,
    private readonly snapshot: HostSnapshot,
    private readonly settings: HostSettings,
    @ServiceConfig() private readonly config: Pick<OrchestratorConfig, 'hosts'>,
    @ServiceLogger() private readonly log: Logger,
  ) {
    this.#approved = new ApprovedHosts(config.hosts.approved, log);
  }

  /**
   * A host that is fenced stays so. Its inventory is due at once.
   * @throws ServiceError `name_taken` when another host has the name; `forbidden` when the host is not approved, or when
   *   it contradicts its record: then it is cordoned
   */
  async register(hostId: HostId, said: RegisterHost): Promise<Registered> {
    const listed = await this.#approved.find(hostId);
    let written = await this.#admit(hostId, said, listed);
    // The database was promoted or restored a moment ago: this host may have had the epoch before.
    if (this.snapshot.generation > written.generation) written = await this.#admit(hostId, said, listed);
    const { row, generation } = written;
    this.log.info(
      { hostId, host: row.name, zone: row.zone, driver: row.driver, epoch: row.epoch, state: row.state },
      'host registered',
    );
    return { epoch: row.epoch, generation, heartbeatMs: this.settings.heartbeatMs };
  }

  async #admit(hostId: HostId, said: RegisterHost, listed: Approval | undefined) {
    const written = await withRetry(() => this.#write(hostId, said, listed));
    await this.snapshot.refresh();
    if (written.refused === undefined) return written;
    this.log.warn({ hostId, host: said.name, refused: written.refused }, 'host registration refused');
    throw new ServiceError('forbidden', `The registration contradicts the host's record: ${written.refused}`);
  }

  async #write(hostId: HostId, said: RegisterHost, listed: Approval | undefined): Promise<Written> {
    const now = databaseNow();
    try {
      const { result } = await this.db.transaction({}, async (tx): Promise<Written> => {
        // The token first: a registration that waits for an earlier one of the same host then finds that host.
        const answers = await tx.pipeline([
          ...(said.joinToken === undefined ? [] : [findInviteCall(said.joinToken)]),
          { statement: LOCK, params: [hostId] },
          { statement: RETIRED, params: [hostId] },
          { statement: KNOWN_IMAGES, params: [said.images] },
        ]);
        const invites = said.joinToken === undefined ? undefined : answers.shift();
        const [locked, retired, known] = answers;
        const before = locked?.rows[0] as unknown as Before | undefined;
        const approval =
          listed ??
          invitation(said, invites?.rows[0] as unknown as InviteRow | undefined, hostId, before) ??
          (before ? (before.approved ?? { ...before, capacity: undefined }) : null) ??
          this.#firstWord(said, (retired?.rows.length ?? 0) > 0);
        const record = recordOf(approval, before?.approved ?? null, said);
        const refused = contradictions(record, said).join('; ');
        if (refused !== '') {
          if (before) await contradicted(tx, hostId, before, refused, now);
          return { refused };
        }
        const images = namesOf(known).sort();
        const ignored = said.images.filter((image) => !images.includes(image));
        ignoredImages.add(ignored.length);
        const accepted = registeredConditions(before?.conditions ?? [], ignored, now);
        const conditions = withCapacityLimit(accepted, saidCapacity(said), record, now);
        return enter(tx, { hostId, said, images, record, conditions, now });
      });
      return result;
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new ServiceError('name_taken', `Another host is named ${said.name}`, { cause: error });
    }
  }

  /** The approval of a host that the operator has not approved. */
  #firstWord(said: RegisterHost, retired: boolean): Approval {
    if (this.config.hosts.admission === 'first' && !retired) return { ...said, capacity: undefined };
    throw new ServiceError(
      'forbidden',
      retired
        ? 'The host was removed: it takes a join token to come back'
        : 'The host has neither a join token nor a line in the list of approved hosts',
    );
  }
}

/** The approval of the host's join token. A host with a record needs none: an old token does not stop it. */
function invitation(
  said: RegisterHost,
  row: InviteRow | undefined,
  hostId: HostId,
  before: Before | undefined,
): Approval | null {
  if (said.joinToken === undefined) return null;
  if (before && !(row?.valid && row.host_id === null)) return null;
  return approvalOf(row, hostId);
}
