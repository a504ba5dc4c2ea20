import {
  QUIET_SQL,
  replicationRoleSql,
  roleName,
  rolesSql,
  schemasSql,
  serviceRoles,
} from './postgres-roles.js';
import { scramVerifier } from './scram.js';

const HEADER = `-- Roles, schemas, grants and extensions of NovaCron, for a superuser. Safe to run again: it changes passwords
-- and grants to what is said here, and nothing else.
--
--   psql -d novacron -f bootstrap.sql
--
-- Beside this file verifiers.generated.mjs turns the passwords of the environment into SCRAM verifiers, so that no
-- password reaches the server: eval "$(node verifiers.generated.mjs)"
--
-- A verifier (or, where that must be, a password) is an environment variable as named below, or a psql variable of the
-- role's name with _password (-v gateway_owner_password=…), which lists of processes show. Without replication_password
-- no role for replicas is made. The database exists already; services name it in NOVACRON_PG_DATABASE.
--
-- Written by: pnpm --filter @novacron/provisioning generate
\\set ON_ERROR_STOP on
`;

const REPLICATION = 'replication_password';

function variable(role: string): string {
  return `${role}_password`;
}

/** `\getenv` does not change a variable that the environment lacks. */
function fromEnvironment(name: string): string {
  return `\\getenv ${name} NOVACRON_PG_${name.toUpperCase()}\n`;
}

const statements = (all: readonly string[]) => all.map((sql) => `${sql.trim()};\n`).join('');

/** The text of `infra/postgres/bootstrap.sql`: one transaction, under a lock, so that only one runs at a time. */
export function bootstrapFile(): string {
  const names = serviceRoles.map((role) => variable(roleName(role)));
  return [
    HEADER,
    ...[REPLICATION, ...names].map(fromEnvironment),
    `\n${statements(QUIET_SQL)}SET client_min_messages = warning;\nBEGIN;\n`,
    "DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtextextended('novacron:bootstrap', 0)); END $$;\n",
    `\n\\if :{?${REPLICATION}}\n${statements(replicationRoleSql(`:'${REPLICATION}'`))}\\endif\n\n`,
    statements(rolesSql((role) => `:'${variable(roleName(role))}'`)),
    '\n',
    statements(schemasSql(':"DBNAME"')),
    'COMMIT;\n',
  ].join('');
}

/**
 * The text of `infra/postgres/verifiers.generated.mjs`, which needs only Node. For each password in the environment
 * it prints a shell line that replaces the password by its verifier.
 */
export function verifiersFile(): string {
  return `// Prints shell lines, or writes them into a file, that replace the passwords of bootstrap.sql in the environment by
// SCRAM verifiers.
//   eval "$(node verifiers.generated.mjs)" && psql -d novacron -f bootstrap.sql
// Written by: pnpm --filter @novacron/provisioning generate
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';

${scramVerifier.toString()}

const lines = Object.entries(process.env)
  .filter(([name, value]) => /^NOVACRON_PG_[A-Z_]+_PASSWORD$/.test(name) && value)
  .map(([name, value]) => \`export \${name}='\${scramVerifier(value)}'\\n\`)
  .join('');
const [file] = process.argv.slice(2);
if (file === undefined) process.stdout.write(lines);
else writeFileSync(file, lines);
`;
}
