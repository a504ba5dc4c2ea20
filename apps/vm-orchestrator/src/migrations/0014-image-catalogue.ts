import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Whether the operator has configured an image, and its version. Existing images count until the next start, which
 * retires those that only hosts have named. An instance of an older version inserts what its hosts offer: the default keeps
 * such an image out.
 */
export class ImageCatalogue1764046800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, [
      `ALTER TABLE images ADD COLUMN configured boolean NOT NULL DEFAULT true,
         ADD COLUMN version bigint NOT NULL DEFAULT 1`,
      'ALTER TABLE images ALTER COLUMN configured SET DEFAULT false',
    ]);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'ALTER TABLE images DROP COLUMN configured, DROP COLUMN version');
  }
}
