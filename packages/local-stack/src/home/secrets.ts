import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type NatsService, natsServices } from '@novacron/provisioning/nats-permissions';
import { roleKinds, schemas, type RolePasswords } from '@novacron/provisioning/postgres-roles';
import { uuidv7 } from 'uuidv7';
import type { Layout } from '../layout.js';
import { StackError } from '../stack-error.js';
import { readStateFile, writeStateFile } from '../state-file.js';

/** The secrets that the stack generates once and keeps. */
export interface Secrets {
  readonly postgresAdmin: string;
  readonly postgresReplication: string;
  readonly roles: RolePasswords;
  readonly redis: string;
  readonly nats: Readonly<Record<NatsService | 'admin', string>>;
  /** gateways sign consistency tokens with it; 32 bytes in hex */
  readonly consistencyKey: string;
  /** the gateway hashes API tokens with it; 32 bytes in hex */
  readonly tokenHashKey: string;
  /** tenant admin of tenant `demo` */
  readonly token: string;
  /** platform operator */
  readonly operatorToken: string;
  /** id of tenant `demo` */
  readonly tenantId: string;
}

/** Random bytes in hex: safe in URLs, shells and configuration files. */
export function newSecret(bytes = 32): string {
  return randomBytes(bytes).toString('hex');
}

/** A password for each role of each service. */
export function newRolePasswords(): RolePasswords {
  const entries = schemas.map((schema) => [
    schema,
    Object.fromEntries(roleKinds.map((kind) => [kind, newSecret(24)])),
  ]);
  return Object.fromEntries(entries) as RolePasswords;
}

function newSecrets(): Secrets {
  const nats = Object.fromEntries([...natsServices, 'admin'].map((user) => [user, newSecret(24)]));
  return {
    postgresAdmin: newSecret(24),
    postgresReplication: newSecret(24),
    roles: newRolePasswords(),
    redis: newSecret(24),
    nats: nats as Secrets['nats'],
    consistencyKey: newSecret(),
    tokenHashKey: newSecret(),
    token: newSecret(),
    operatorToken: newSecret(),
    tenantId: uuidv7(),
  };
}

/** Path of the first entry that `expected` has and `found` lacks. Undefined when none is missing. */
function missingEntry(expected: object, found: unknown, path = ''): string | undefined {
  for (const [key, value] of Object.entries(expected)) {
    const actual = (found as Record<string, unknown> | null | undefined)?.[key];
    const here = `${path}${key}`;
    if (typeof value === 'string') {
      if (typeof actual !== 'string' || actual === '') return here;
    } else {
      const deeper = missingEntry(value as object, actual, `${here}.`);
      if (deeper) return deeper;
    }
  }
  return undefined;
}

const RESET = 'Restore it, or discard all state: npm run stack -- reset';

/** The stack's secrets: read from `secrets/secrets.json`, generated when this home is new. */
export function loadSecrets(paths: Layout, repair = RESET): Secrets {
  const file = join(paths.secrets, 'secrets.json');
  const found = readStateFile(file, repair);
  if (found !== undefined) {
    const missing = missingEntry(newSecrets(), found);
    if (!missing) return found as Secrets;
    throw new StackError(`${file} is damaged: ${missing} is missing`, repair);
  }
  if (existsSync(join(paths.data, 'postgres-primary'))) {
    throw new StackError(
      `${file} is gone, and without it the data in ${paths.data} cannot be opened`,
      repair,
    );
  }
  mkdirSync(paths.secrets, { recursive: true, mode: 0o700 });
  const fresh = newSecrets();
  writeStateFile(file, fresh);
  return fresh;
}
