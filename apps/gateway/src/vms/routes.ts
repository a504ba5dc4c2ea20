import { actOnVmRoute } from './act-on-vm.js';
import { createVmRoute } from './create-vm.js';
import { deleteVmRoute } from './delete-vm.js';
import { getConsoleLogRoute } from './get-console-log.js';
import { getPlacementRoute } from './get-placement.js';
import { getVmRoute } from './get-vm.js';
import { listVmsRoute } from './list-vms.js';
import { patchVmRoute } from './patch-vm.js';
import { waitForVmRoute } from './wait-for-vm.js';

export const vmRoutes = [
  createVmRoute,
  listVmsRoute,
  getVmRoute,
  patchVmRoute,
  deleteVmRoute,
  actOnVmRoute,
  waitForVmRoute,
  getConsoleLogRoute,
  getPlacementRoute,
];
