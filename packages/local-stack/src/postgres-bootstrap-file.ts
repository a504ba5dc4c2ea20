import { replicationRoleSql, roleName, rolesSql, schemasSql, serviceRoles } from './postgres-bootstrap.js';

const HEADER = `-- Roles, schemas, grants and extensions of NovaCron, for a superuser. Safe to run again: it changes passwords
-- and grants to what is said here, and nothing else.
--
--   psql -d novacron -f bootstrap.sql
--
-- A password is a psql variable of the role's name with _password (-v gateway_owner_password=…) or, better since
-- no list of processes shows it, an environment variable as named below. Without replication_password no role
-- for replicas is made. The database exists already; services name it in NOVACRON_PG_DATABASE.
--
-- Written by: pnpm --filter @novacron/local-stack generate
\\set ON_ERROR_STOP on
`;

const REPLICATION = 'replication_password';

function variable(role: string): string {
  return `${role}_password`;
}

/** `\getenv` leaves a variable as it is when the environment has none of that name. */
function fromEnvironment(name: string): string {
  return `\\getenv ${name} NOVACRON_PG_${name.toUpperCase()}\n`;
}

const statements = (all: readonly string[]) => all.map((sql) => `${sql.trim()};\n`).join('');

/** The text of `infra/postgres/bootstrap.sql`: all of it in one transaction, one at a time. */
export function bootstrapFile(): string {
  const names = serviceRoles.map((role) => variable(roleName(role)));
  return [
    HEADER,
    ...[REPLICATION, ...names].map(fromEnvironment),
    '\nSET client_min_messages = warning;\nBEGIN;\n',
    "DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtextextended('novacron:bootstrap', 0)); END $$;\n",
    `\n\\if :{?${REPLICATION}}\n${statements(replicationRoleSql(`:'${REPLICATION}'`))}\\endif\n\n`,
    statements(rolesSql((role) => `:'${variable(roleName(role))}'`)),
    '\n',
    statements(schemasSql(':"DBNAME"')),
    'COMMIT;\n',
  ].join('');
}
