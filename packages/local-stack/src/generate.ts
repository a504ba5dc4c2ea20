import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrapFile } from './postgres-bootstrap-file.js';
import { repositoryRoot } from './config.js';

/* `pnpm --filter @novacron/local-stack generate`: writes what the repository keeps of the generated files. */

const path = join('infra', 'postgres', 'bootstrap.sql');
writeFileSync(join(repositoryRoot, path), bootstrapFile());
process.stdout.write(`${path}\n`);
