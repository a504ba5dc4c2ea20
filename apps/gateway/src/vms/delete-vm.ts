import { deleteVm } from '@novacron/contracts/operations/vms';
import { vmsRpc } from '@novacron/contracts/vms';
import { expectedVersion } from '../http/etag.js';
import { implement } from '../http/route.js';

export const deleteVmRoute = implement(deleteVm, async (call) => {
  const ifMatch = expectedVersion(call.headers['if-match']);
  const expected = ifMatch === undefined ? {} : { ifMatch };
  const request = {
    id: call.params.id,
    action: 'delete',
    options: { graceSeconds: 30 },
    ...expected,
  } as const;
  const { job } = (await call.ask(vmsRpc.act, request)).body;
  if (job === null) return { status: 204 };
  return { status: 202, body: job, headers: { Location: `/api/v1/jobs/${job.id}` } };
});
