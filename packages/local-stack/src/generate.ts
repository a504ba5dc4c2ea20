import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { natsPermissionsFile } from './chart-files.js';
import { withConfigLabels } from './compose/config-labels.js';
import { repositoryRoot } from './config.js';
import { redisUsersFile } from './redis-users.js';
import { bootstrapFile, verifiersFile } from './postgres-bootstrap-file.js';

/* `pnpm --filter @novacron/local-stack generate`: writes what the repository keeps of the generated files. */

/** Helm reads what lies in the chart's own folder alone. */
const chartFiles = join('k8s', 'novacron', 'files');

const files = {
  [join('infra', 'postgres', 'bootstrap.sql')]: bootstrapFile(),
  [join('infra', 'postgres', 'verifiers.generated.mjs')]: verifiersFile(),
  [join(chartFiles, 'bootstrap.sql')]: bootstrapFile(),
  [join(chartFiles, 'verifiers.generated.mjs')]: verifiersFile(),
  [join(chartFiles, 'nats-permissions.json')]: natsPermissionsFile(),
  [join(chartFiles, 'redis-users.json')]: redisUsersFile(),
  'docker-compose.yml': withConfigLabels(readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8')),
};
for (const [path, text] of Object.entries(files)) {
  writeFileSync(join(repositoryRoot, path), text);
  process.stdout.write(`${path}\n`);
}
