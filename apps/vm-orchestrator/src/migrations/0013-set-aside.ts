import { setAsideTable } from '@novacron/outbox/migration';
import { runAll } from '@novacron/postgres/migrate';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The events that the relay could not publish: it continues after them, and consumers fetch them by number. */
export class SetAside1764043200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(runner, setAsideTable('orchestrator'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, 'DROP TABLE outbox_set_aside');
  }
}
