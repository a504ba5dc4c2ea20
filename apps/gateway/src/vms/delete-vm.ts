import { Job } from '@novacron/contracts/jobs';
import { vmsRpc } from '@novacron/contracts/vms';
import { expectedVersion } from '../edge/etag.js';
import { defineRoute } from '../edge/route.js';
import { vmParams } from './parameters.js';

export const deleteVm = defineRoute({
  id: 'deleteVm',
  method: 'DELETE',
  path: '/api/v1/vms/{id}',
  tag: 'VMs',
  summary: 'Delete a VM',
  description: 'Wins over work in flight, and cannot be taken back.',
  access: 'operate',
  params: vmParams,
  headers: ['If-Match'],
  answers: {
    202: { description: 'The job that deletes it.', schema: Job, headers: ['Location'] },
    204: { description: 'It is deleted already.' },
  },
  errors: ['not_found', 'precondition_failed'],
  async handle(call) {
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
  },
});
