import type { IncomingHttpHeaders } from 'node:http';
import type { BodyOf } from '@novacron/contracts/envelope';
import { MergePatchVm, PatchVm, Vm, vmsRpc } from '@novacron/contracts/vms';
import { expectedVersion } from '../edge/etag.js';
import { isMergePatch } from '../edge/json-body.js';
import { defineRoute } from '../edge/route.js';
import type { z } from 'zod';
import { vmParams } from './parameters.js';

export const patchVm = defineRoute({
  id: 'patchVm',
  method: 'PATCH',
  path: '/api/v1/vms/{id}',
  tag: 'VMs',
  summary: 'Change name, tags or restart policy',
  description:
    '`tags` replaces all tags. As `application/merge-patch+json` (RFC 7396), tags that are not named stay, and null ' +
    'removes one. `restartPolicy` is replaced as a whole. `config` stays as it was created. A VM that is being deleted ' +
    'cannot be changed.',
  access: 'operate',
  params: vmParams,
  body: PatchVm,
  mergePatch: MergePatchVm,
  headers: ['If-Match'],
  answers: { 200: { description: 'The VM as it is now.', schema: Vm, headers: ['ETag'] } },
  errors: ['not_found', 'name_taken', 'invalid_state', 'precondition_failed'],
  async handle(call) {
    const ifMatch = expectedVersion(call.headers['if-match']);
    const expected = ifMatch === undefined ? {} : { ifMatch };
    const vm = (
      await call.ask(vmsRpc.patch, {
        id: call.params.id,
        patch: patchOf(call.body, call.headers),
        ...expected,
      })
    ).body;
    return { status: 200, body: vm, version: vm.version };
  },
});

/** In a merge patch null stands for "no tags". */
function patchOf(
  body: z.infer<typeof PatchVm> | z.infer<typeof MergePatchVm>,
  headers: IncomingHttpHeaders,
): BodyOf<typeof vmsRpc.patch>['patch'] {
  if (!isMergePatch(headers)) return body as z.infer<typeof PatchVm>;
  const { tags, ...rest } = body;
  if (tags === undefined) return rest;
  return tags === null ? { ...rest, tags: {} } : { ...rest, tagChanges: tags };
}
