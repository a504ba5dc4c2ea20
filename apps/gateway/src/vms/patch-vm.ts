import type { IncomingHttpHeaders } from 'node:http';
import type { BodyOf } from '@novacron/contracts/envelope';
import type { InputOf } from '@novacron/contracts/operation';
import { patchVm } from '@novacron/contracts/operations/vms';
import { vmsRpc, type PatchVm } from '@novacron/contracts/vms';
import { expectedVersion } from '../http/etag.js';
import { isMergePatch } from '../http/json-body.js';
import { implement } from '../http/route.js';
import type { z } from 'zod';

export const patchVmRoute = implement(patchVm, async (call) => {
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
});

/** In a merge patch null stands for "no tags". */
function patchOf(
  body: InputOf<typeof patchVm>['body'],
  headers: IncomingHttpHeaders,
): BodyOf<typeof vmsRpc.patch>['patch'] {
  if (!isMergePatch(headers)) return body as z.infer<typeof PatchVm>;
  const { tags, ...rest } = body;
  if (tags === undefined) return rest;
  return tags === null ? { ...rest, tags: {} } : { ...rest, tagChanges: tags };
}
