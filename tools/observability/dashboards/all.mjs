import { api } from './api.mjs';
import { caches } from './caches.mjs';
import { database } from './database.mjs';
import { metricsPipeline } from './metrics-pipeline.mjs';
import { nodeRuntime } from './node-runtime.mjs';
import { vmFleet } from './vm-fleet.mjs';

/** Name of the file and its text, for each dashboard. */
export const DASHBOARD_FILES = Object.entries({
  api,
  database,
  caches,
  'metrics-pipeline': metricsPipeline,
  'vm-fleet': vmFleet,
  'node-runtime': nodeRuntime,
}).map(([name, made]) => [`${name}.json`, `${JSON.stringify(made, undefined, 2)}\n`]);
