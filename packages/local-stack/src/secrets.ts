import { randomBytes } from 'node:crypto';
import { roleKinds, type RolePasswords, schemas } from './postgres-schemas.js';

/** 32 random bytes in hex: safe in URLs, shells and configuration files. */
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
