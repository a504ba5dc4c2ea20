import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootstrapFile, verifiersFile } from './bootstrap-file.js';
import { natsPermissionsFile } from './chart-files.js';
import { redisUsersFile } from './redis-users.js';

/* `pnpm --filter @novacron/provisioning generate` writes the generated files that the repository keeps. */

const repositoryRoot = fileURLToPath(new URL('../../..', import.meta.url));
/** Helm reads only files of the chart's own folder. */
const chartFiles = join('k8s', 'novacron', 'files');

const files = {
  [join('infra', 'postgres', 'bootstrap.sql')]: bootstrapFile(),
  [join('infra', 'postgres', 'verifiers.generated.mjs')]: verifiersFile(),
  [join(chartFiles, 'bootstrap.sql')]: bootstrapFile(),
  [join(chartFiles, 'verifiers.generated.mjs')]: verifiersFile(),
  [join(chartFiles, 'nats-permissions.json')]: natsPermissionsFile(),
  [join(chartFiles, 'redis-users.json')]: redisUsersFile(),
};
for (const [path, text] of Object.entries(files)) {
  writeFileSync(join(repositoryRoot, path), text);
  process.stdout.write(`${path}\n`);
}
