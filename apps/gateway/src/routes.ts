import type { AnyRoute } from './http/route.js';
import { infrastructureRoutes } from './infrastructure/routes.js';
import { jobRoutes } from './jobs/routes.js';
import { tenancyRoutes } from './tenancy/routes.js';
import { metricRoutes } from './metrics/routes.js';
import { operationRoutes } from './operations/routes.js';
import { vmRoutes } from './vms/routes.js';

/** The whole API: what is served, documented and tested. */
export const routes: readonly AnyRoute[] = [
  ...vmRoutes,
  ...jobRoutes,
  ...metricRoutes,
  ...infrastructureRoutes,
  ...tenancyRoutes,
  ...operationRoutes,
];
