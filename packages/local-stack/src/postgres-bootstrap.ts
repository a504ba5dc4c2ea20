/**
 * The roles and schemas of NovaCron as SQL that a superuser runs, each statement safe to repeat. The local stack
 * and the tests run it through a connection; `infra/postgres/bootstrap.sql` is the same text for psql, generated.
 */
import { SUPERUSER_SQL } from '@novacron/postgres/superuser-sql';
import { replicationUser } from './postgres-server.js';

/** One schema for each service that owns data. */
export const schemas = ['gateway', 'orchestrator', 'metrics', 'cache'] as const;
export type Schema = (typeof schemas)[number];

/** owner: migrations. api: serves tenants, under row-level security. sys: workers, relay, ingest. */
export const roleKinds = ['owner', 'api', 'sys'] as const;
export type RoleKind = (typeof roleKinds)[number];
export interface ServiceRole {
  readonly schema: Schema;
  readonly kind: RoleKind;
}

export const serviceRoles: readonly ServiceRole[] = schemas.flatMap((schema) =>
  roleKinds.map((kind) => ({ schema, kind })),
);

export function roleName({ schema, kind }: ServiceRole): string {
  return `${schema}_${kind}`;
}

/** `password` is a literal of SQL, as for the others below. */
export function replicationRoleSql(password: string): string[] {
  return roleSql(replicationUser, 'REPLICATION', password);
}

/** The three roles of each service, which belong to the whole cluster. */
export function rolesSql(password: (role: ServiceRole) => string): string[] {
  return serviceRoles.flatMap((role) => {
    const name = roleName(role);
    const workers = role.kind === 'sys';
    return [
      // COPY does not work under row-level security, and workers serve every tenant.
      ...roleSql(name, workers ? 'BYPASSRLS' : 'NOBYPASSRLS', password(role)),
      `ALTER ROLE ${name} SET search_path = ${role.schema}`,
      // The query monitor reads statistics of the other roles of its service.
      ...(workers ? [`GRANT pg_read_all_stats TO ${name}`] : []),
    ];
  });
}

function roleSql(name: string, attributes: string, password: string): string[] {
  return [
    `DO $$ BEGIN CREATE ROLE ${name}; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    `ALTER ROLE ${name} LOGIN ${attributes} PASSWORD ${password}`,
  ];
}

/** Who may connect: the services' roles alone. `database` is an identifier of SQL. */
export function databaseSql(database: string): string[] {
  return [
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    `GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${serviceRoles.map(roleName).join(', ')}`,
  ];
}

/** What each database needs, with the roles there: schemas, grants, statistics, a superuser's functions. */
export function schemasSql(database: string): string[] {
  return [
    'CREATE EXTENSION IF NOT EXISTS pg_stat_statements',
    'REVOKE ALL ON SCHEMA public FROM PUBLIC',
    ...SUPERUSER_SQL,
    ...databaseSql(database),
    ...schemas.flatMap((schema) => [
      `CREATE SCHEMA IF NOT EXISTS ${schema} AUTHORIZATION ${schema}_owner`,
      `GRANT USAGE ON SCHEMA ${schema} TO ${roleKinds.map((kind) => roleName({ schema, kind })).join(', ')}`,
      // pg_stat_statements lies there, for the query monitor.
      `GRANT USAGE ON SCHEMA public TO ${schema}_sys`,
    ]),
  ];
}
