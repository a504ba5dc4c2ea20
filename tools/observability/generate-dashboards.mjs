// Writes the dashboards that are committed: node tools/observability/generate-dashboards.mjs
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';
import { DASHBOARD_FILES } from './dashboards/all.mjs';
import { DASHBOARDS } from './files.mjs';

mkdirSync(join(root, DASHBOARDS), { recursive: true });
for (const [name, text] of DASHBOARD_FILES) writeFileSync(join(root, DASHBOARDS, name), text);
