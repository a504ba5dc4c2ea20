import { appendEvents } from '@novacron/outbox/append';
import type { Database, Statement } from '@novacron/postgres/database';
import { retrying } from '@novacron/postgres/retry';
import { databaseNow } from '../clock.js';
import { createdEvent, READ_IMAGES, toImage, type ImageRow } from './catalog.js';

/** An image that hosts may offer. */
export interface CatalogueEntry {
  readonly name: string;
  /** Whether a VM can be made anew on another host without losing anything: its disk holds nothing of its own. */
  readonly rebuildable: boolean;
}

const PUT: Statement = {
  name: 'images-put',
  // In the order of names, so that orchestrators which start together cannot wait for each other.
  text: `INSERT INTO images (name, rebuildable)
    SELECT name, rebuildable FROM json_populate_recordset(null::images, $1) ORDER BY name
    ON CONFLICT (name) DO UPDATE SET rebuildable = excluded.rebuildable WHERE images.rebuildable <> excluded.rebuildable
    RETURNING name, (xmax = 0) AS created`,
};
const ASK_AGAIN: Statement = {
  name: 'hosts-offer-again',
  // Another epoch: the next heartbeat is answered with `register`, and the registration names the images.
  text: `UPDATE hosts SET epoch = epoch + 1 WHERE conditions @> '[{"type": "ImagesUnknown"}]'`,
};

/** Puts the configured images into the catalogue. Hosts that offered images it did not have are asked again. */
export async function putImages(db: Database, images: readonly CatalogueEntry[]): Promise<void> {
  await retrying(() =>
    db.transaction({}, async (tx) => {
      const now = databaseNow();
      const { rows } = await tx.query<{ name: string; created: boolean }>(PUT, [JSON.stringify(images)]);
      const created = rows.filter((row) => row.created).map(({ name }) => name);
      if (created.length === 0) return;
      const [read] = await tx.pipeline([
        { statement: READ_IMAGES, params: [created] },
        { statement: ASK_AGAIN },
      ]);
      const added = read?.rows as unknown as ImageRow[];
      await appendEvents(
        tx,
        added.map((row) => createdEvent('image', toImage(row), now)),
      );
    }),
  );
}
