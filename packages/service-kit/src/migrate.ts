import { migrationEnv } from '@novacron/config/fragments';
import { loadConfig } from '@novacron/config/load';
import { migrate } from '@novacron/postgres/migrate';
import type { PostgresSpec } from './dependencies.js';

/**
 * The whole of a service's `migrate.ts`: brings its schema up to date as the owner and ends. The exit code is 0
 * when nothing was left to do either; a failure is one line and 1. Any number of them may run at once.
 */
export async function runMigrations({ schema, migrations }: PostgresSpec): Promise<void> {
  try {
    const { postgres } = loadConfig(migrationEnv);
    const { primary, database, ownerPassword: password } = postgres;
    const settings = { primary, database, schema, role: 'owner', password } as const;
    const done = await migrate(settings, { migrations });
    process.stdout.write(
      `migrate ${schema}: ${done.length === 0 ? 'is current' : `ran ${done.join(', ')}`}\n`,
    );
  } catch (error) {
    process.stderr.write(`migrate ${schema}: ${reasonOf(error)}\n`);
    process.exitCode = 1;
  }
}

/** The public text of an error names no server; whoever runs a migration wants to know why. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : undefined;
  return [error.message, cause?.message || (cause as NodeJS.ErrnoException | undefined)?.code]
    .filter(Boolean)
    .join(': ');
}
