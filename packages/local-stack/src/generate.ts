import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withConfigLabels } from './compose/config-labels.js';
import { repositoryRoot } from './config.js';

/* `pnpm --filter @novacron/local-stack generate` writes the configuration labels of docker-compose.yml. */

const path = 'docker-compose.yml';
const file = join(repositoryRoot, path);
writeFileSync(file, withConfigLabels(readFileSync(file, 'utf8')));
process.stdout.write(`${path}\n`);
