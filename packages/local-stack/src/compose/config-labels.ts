import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { natsServices } from '@novacron/provisioning/nats-permissions';
import { repositoryRoot } from '../config.js';
import { natsFiles, redisFiles } from './files.js';

/** Servers of docker-compose.yml whose configuration may change in a new version while their images do not. */
export type Configured = 'redis' | 'nats' | 'nginx';

const read = (...path: string[]) => readFileSync(join(repositoryRoot, 'infra', ...path), 'utf8');

/** The configuration that each server reads at its start, without passwords, which an upgrade does not change. */
function configurations(): Record<Configured, string[]> {
  const nats = Object.fromEntries(['admin', ...natsServices].map((user) => [user, ''])) as Parameters<
    typeof natsFiles
  >[0]['nats'];
  const nginx = readdirSync(join(repositoryRoot, 'infra', 'nginx')).sort();
  return {
    redis: Object.values(redisFiles({ redis: '' })),
    nats: [
      ...Object.values(natsFiles({ nats }, [{ hostId: 'HOST_ID', natsPassword: '' }])),
      read('compose', 'nats'),
    ],
    nginx: [...nginx.map((file) => read('nginx', file)), read('compose', 'nginx')],
  };
}

/**
 * docker-compose.yml with a current label `novacron.config` of each such server. `docker compose up` recreates a
 * container only when its definition changes. It does not compare the contents of volumes and files.
 * @throws Error when a server has no such label
 */
export function withConfigLabels(compose: string): string {
  return Object.entries(configurations()).reduce((text, [server, files]) => {
    const hash = createHash('sha256').update(files.join('\n')).digest('hex').slice(0, 16);
    const label = new RegExp(`(\\n  ${server}:\\n(?: {4}.*\\n)*? {4}labels: \\{ novacron\\.config: )'[^']*'`);
    if (!label.test(text)) throw new Error(`docker-compose.yml has no label novacron.config of ${server}`);
    return text.replace(label, `$1'${hash}'`);
  }, compose);
}
