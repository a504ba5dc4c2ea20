import { ServiceError } from '@novacron/contracts/errors';
import { isExpected, type IfMatch } from '@novacron/contracts/vms';

/** @throws ServiceError precondition_failed when the VM is not at a version that the change is for */
export function requireVersion(vm: { readonly version: number }, ifMatch: IfMatch | undefined): void {
  if (isExpected(ifMatch, vm.version)) return;
  const wanted = [ifMatch].flat().join(' or ');
  throw new ServiceError('precondition_failed', `The VM is at version ${vm.version}, not ${wanted}`);
}
