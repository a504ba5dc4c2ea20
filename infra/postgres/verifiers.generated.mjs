// Prints shell lines, or writes them into a file, that replace the passwords of bootstrap.sql in the environment by
// SCRAM verifiers.
//   eval "$(node verifiers.generated.mjs)" && psql -d novacron -f bootstrap.sql
// Written by: pnpm --filter @novacron/provisioning generate
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';

function scramVerifier(password) {
    if (password.startsWith('SCRAM-SHA-256$'))
        return password;
    if (!/^[\x20-\x7e]+$/.test(password))
        throw new Error('a password must be printable ASCII');
    const iterations = 4096;
    const salt = randomBytes(16);
    const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
    const hmac = (text) => createHmac('sha256', salted).update(text).digest();
    const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
    const serverKey = hmac('Server Key').toString('base64');
    return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

const lines = Object.entries(process.env)
  .filter(([name, value]) => /^NOVACRON_PG_[A-Z_]+_PASSWORD$/.test(name) && value)
  .map(([name, value]) => `export ${name}='${scramVerifier(value)}'\n`)
  .join('');
const [file] = process.argv.slice(2);
if (file === undefined) process.stdout.write(lines);
else writeFileSync(file, lines);
