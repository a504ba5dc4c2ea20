import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Postgres cleans a table when a fifth of it is dead. Jobs are kept for 30 days while only the live ones are updated,
 * some ten times each: a fifth of a million is 200,000 dead versions around a few hundred live jobs, and every lease
 * walks through those of its index. Numbered events are kept for 7 days and deleted by the thousand: there it is the
 * index by number that has to be cleaned, and the pages to be marked all-visible for reads by number.
 */
const SETTINGS = {
  jobs: 'autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.02',
  vms: 'autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02',
  outbox:
    'autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, ' +
    'autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000',
};

export class Autovacuum1764014400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      Object.entries(SETTINGS).map(([table, settings]) => `ALTER TABLE ${table} SET (${settings})`),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    const names = (settings: string) => settings.replaceAll(/ = [\d.]+/g, '');
    await runAll(
      runner,
      Object.entries(SETTINGS).map(([table, settings]) => `ALTER TABLE ${table} RESET (${names(settings)})`),
    );
  }
}
