import { migrationEnv } from '@novacron/config/fragments';
import { loadConfig } from '@novacron/config/load';
import { migrate } from '@novacron/postgres/migrate';
import type { PostgresSpec } from './dependencies.js';

/**
 * The whole of a service's `migrate.ts`: migrates its schema as the owner and ends. The exit code is 0, also when the
 * schema was current. A failure prints one line and exits with 1. Several may run at once.
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

/** The public text of an error names no server, so the operator needs its cause as well. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : undefined;
  return [error.message, cause?.message || (cause as NodeJS.ErrnoException | undefined)?.code]
    .filter(Boolean)
    .join(': ');
}
