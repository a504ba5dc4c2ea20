import { actOnVm } from './act-on-vm.js';
import { createVm } from './create-vm.js';
import { deleteVm } from './delete-vm.js';
import { getConsoleLog } from './get-console-log.js';
import { getPlacement } from './get-placement.js';
import { getVm } from './get-vm.js';
import { listVms } from './list-vms.js';
import { patchVm } from './patch-vm.js';
import { waitForVmRoute } from './wait-for-vm.js';

export const vmRoutes = [
  createVm,
  listVms,
  getVm,
  patchVm,
  deleteVm,
  actOnVm,
  waitForVmRoute,
  getConsoleLog,
  getPlacement,
];
