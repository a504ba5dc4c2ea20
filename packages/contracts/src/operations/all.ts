import type { OperationContract } from '../operation.js';
import {
  actOnHost,
  getHost,
  inviteHost,
  listHosts,
  listImages,
  listZones,
  removeHost,
} from './infrastructure.js';
import { cancelJob, getJob, listJobs, retryJob, waitForJob } from './jobs.js';
import { latestMetrics, pushMetrics, queryMetrics, showMetricsIntake } from './metrics.js';
import { getCacheStats, getReplication } from './platform.js';
import { getMe, getQuota } from './tenancy.js';
import {
  actOnVm,
  createVm,
  deleteVm,
  getConsoleLog,
  getPlacement,
  getVm,
  listVms,
  patchVm,
  waitForVm,
} from './vms.js';

/** The version of the API and of its OpenAPI document. */
export const API_VERSION = '1.0.0';

/** All operations of the API, in the order of the document. */
export const operations: readonly OperationContract[] = [
  createVm,
  listVms,
  getVm,
  patchVm,
  deleteVm,
  actOnVm,
  waitForVm,
  getConsoleLog,
  getPlacement,
  listJobs,
  getJob,
  waitForJob,
  cancelJob,
  retryJob,
  pushMetrics,
  queryMetrics,
  latestMetrics,
  showMetricsIntake,
  listHosts,
  getHost,
  actOnHost,
  removeHost,
  inviteHost,
  listZones,
  listImages,
  getMe,
  getQuota,
  getCacheStats,
  getReplication,
];
