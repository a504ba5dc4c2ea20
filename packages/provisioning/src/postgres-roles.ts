/**
 * The roles and schemas of NovaCron as SQL for a superuser. Each statement is safe to repeat. The local stack and
 * the tests run it through a connection. `infra/postgres/bootstrap.sql` is generated from it, for psql.
 */
import { SUPERUSER_SQL } from './superuser-sql.js';
import { statisticsGrant } from './statistics-sql.js';

/** The role that replicas connect as. */
export const replicationUser = 'novacron_replication';

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

export type RolePasswords = Readonly<Record<Schema, Readonly<Record<RoleKind, string>>>>;

export const serviceRoles: readonly ServiceRole[] = schemas.flatMap((schema) =>
  roleKinds.map((kind) => ({ schema, kind })),
);

export function roleName({ schema, kind }: ServiceRole): string {
  return `${schema}_${kind}`;
}

/**
 * For a superuser's session that sets passwords: the server does not show its statements to other sessions, count
 * them or log them, even when they fail. Without pg_stat_statements its setting has no effect.
 */
export const QUIET_SQL: readonly string[] = [
  'SET track_activities = off',
  'SET pg_stat_statements.track_utility = off',
  "SET log_statement = 'none'",
  'SET log_min_duration_statement = -1',
  "SET log_min_error_statement = 'panic'",
];

/** Deletes the statistics of statements that set a password, which earlier versions let the server keep. */
const FORGET_PASSWORDS_SQL = `DO $$
  DECLARE place text := (SELECT quote_ident(n.nspname) FROM pg_extension e
    JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements');
  BEGIN
    EXECUTE format('SELECT count(%1$s.pg_stat_statements_reset(userid, dbid, queryid))
      FROM %1$s.pg_stat_statements WHERE query ~* ''password''', place);
  EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL;
  END $$`;

/** `password` is an SQL literal with a SCRAM verifier, here and below. */
export function replicationRoleSql(password: string): string[] {
  return roleSql(replicationUser, 'REPLICATION', password);
}

/** The three roles of each service. Roles belong to the whole cluster. */
export function rolesSql(password: (role: ServiceRole) => string): string[] {
  return serviceRoles.flatMap((role) => {
    const name = roleName(role);
    const workers = role.kind === 'sys';
    return [
      // COPY does not work under row-level security, and workers serve every tenant.
      ...roleSql(name, workers ? 'BYPASSRLS' : 'NOBYPASSRLS', password(role)),
      `ALTER ROLE ${name} SET search_path = ${role.schema}`,
      // The role shows all users' statements. Earlier versions granted it to the query monitor.
      ...(workers ? [revokeSql('pg_read_all_stats', name)] : []),
    ];
  });
}

/** Revokes a role only when it is granted, because a REVOKE without a grant causes a warning. */
function revokeSql(role: string, from: string): string {
  return `DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_auth_members WHERE roleid = '${role}'::regrole
    AND member = '${from}'::regrole) THEN REVOKE ${role} FROM ${from}; END IF; END $$`;
}

function roleSql(name: string, attributes: string, password: string): string[] {
  return [
    `DO $$ BEGIN CREATE ROLE ${name}; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    `ALTER ROLE ${name} LOGIN ${attributes} PASSWORD ${password}`,
  ];
}

/** Lets only the services' roles connect. `database` is an SQL identifier. */
export function databaseSql(database: string): string[] {
  return [
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    `GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${serviceRoles.map(roleName).join(', ')}`,
  ];
}

/** The contents of each database: schemas, grants, statistics and a superuser's functions. The roles must exist. */
export function schemasSql(database: string): string[] {
  return [
    'CREATE EXTENSION IF NOT EXISTS pg_stat_statements',
    'REVOKE ALL ON SCHEMA public FROM PUBLIC',
    ...SUPERUSER_SQL,
    ...databaseSql(database),
    ...schemas.flatMap((schema) => [
      `CREATE SCHEMA IF NOT EXISTS ${schema} AUTHORIZATION ${schema}_owner`,
      `GRANT USAGE ON SCHEMA ${schema} TO ${roleKinds.map((kind) => roleName({ schema, kind })).join(', ')}`,
      // Earlier versions granted it, because pg_stat_statements is in that schema.
      `REVOKE USAGE ON SCHEMA public FROM ${schema}_sys`,
      statisticsGrant(`${schema}_sys`),
    ]),
    FORGET_PASSWORDS_SQL,
  ];
}
