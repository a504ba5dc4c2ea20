import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/**
 * The verifier that Postgres stores for a password (RFC 5802 and 7677):
 * `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. `ALTER ROLE … PASSWORD` accepts it in place of the
 * password, so the password never reaches the server, its logs or its statistics. A verifier is returned unchanged.
 * @throws Error when the password contains other characters than printable ASCII, which clients normalise differently
 */
export function scramVerifier(password: string): string {
  if (password.startsWith('SCRAM-SHA-256$')) return password;
  if (!/^[\x20-\x7e]+$/.test(password)) throw new Error('a password must be printable ASCII');
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const serverKey = hmac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
