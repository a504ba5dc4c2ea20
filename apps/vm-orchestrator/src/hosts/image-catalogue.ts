import { Injectable, type OnModuleInit } from '@nestjs/common';
import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement } from '@novacron/postgres/database';
import { withRetry } from '@novacron/postgres/retry';
import { ServiceConfig, SystemDatabase } from '@novacron/service-kit/inject';
import type { CatalogueEntry, OrchestratorConfig } from '../config.js';
import { databaseNow } from '../database/clock.js';
import { imageEvent, READ_IMAGES, type ImageRow } from './catalog.js';
import { namesOf } from './registration-entry.js';

const PUT: Statement = {
  name: 'images-put',
  // In the order of names, so that orchestrators which start together cannot wait for each other.
  text: `WITH before AS (SELECT name FROM images WHERE configured)
    INSERT INTO images AS i (name, rebuildable, configured)
    SELECT name, rebuildable, true FROM json_populate_recordset(null::images, $1) ORDER BY name
    ON CONFLICT (name) DO UPDATE SET rebuildable = excluded.rebuildable, configured = true,
      version = i.version + (NOT i.configured)::int
    WHERE i.rebuildable <> excluded.rebuildable OR NOT i.configured
    RETURNING i.name, NOT EXISTS (SELECT FROM before b WHERE b.name = i.name) AS created`,
};
const RETIRE: Statement = {
  name: 'images-retire',
  text: `UPDATE images SET configured = false, version = version + 1 WHERE configured AND name <> ALL($1)
    RETURNING name`,
};
const ASK_AGAIN: Statement = {
  name: 'hosts-offer-again',
  // Another epoch: the next heartbeat is answered with `register`, and the registration names the images.
  text: `UPDATE hosts h SET epoch = h.epoch + 1
    WHERE NOT h.images <@ (SELECT coalesce(array_agg(i.name), '{}') FROM images i WHERE i.configured)
      OR $1 AND h.conditions @> '[{"type": "ImagesUnknown"}]'`,
};

/** Writes the catalogue when the service starts. */
@Injectable()
export class ImageCatalogue implements OnModuleInit {
  constructor(
    @SystemDatabase() private readonly db: Database,
    @ServiceConfig() private readonly config: Pick<OrchestratorConfig, 'hosts'>,
  ) {}

  onModuleInit(): Promise<void> {
    return putImages(this.db, this.config.hosts.images);
  }
}

/**
 * Makes the configured images the catalogue, and retires the others. Hosts that offer retired images, or offered images
 * that are new, are made to register again.
 */
export async function putImages(db: Database, images: readonly CatalogueEntry[]): Promise<void> {
  await withRetry(() =>
    db.transaction({}, async (tx) => {
      const now = databaseNow();
      const [put, retire] = await tx.pipeline([
        { statement: PUT, params: [JSON.stringify(images)] },
        { statement: RETIRE, params: [images.map(({ name }) => name)] },
      ]);
      const written = (put?.rows ?? []) as unknown as { name: string; created: boolean }[];
      const created = written.filter((row) => row.created).map(({ name }) => name);
      const retired = namesOf(retire);
      const [read] = await tx.pipeline([
        { statement: READ_IMAGES, params: [[...created, ...retired]] },
        { statement: ASK_AGAIN, params: [created.length > 0] },
      ]);
      const changed = (read?.rows ?? []) as unknown as ImageRow[];
      if (changed.length === 0) return;
      await appendEvents(
        tx,
        changed.map((row) =>
          imageEvent(row, retired.includes(row.name) ? 'image.deleted' : 'image.created', now),
        ),
      );
    }),
  );
}
