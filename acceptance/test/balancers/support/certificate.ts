import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** The certificate, for clients that trust it. */
  readonly ca: Buffer;
}

/** Creates in `directory` a certificate for the loopback address, valid for two days. */
export function makeCertificate(directory: string): Certificate {
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', ...made, ...name, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  return { cert, key, ca: readFileSync(cert) };
}
