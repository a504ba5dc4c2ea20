import type { IncomingHttpHeaders } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { BodyOf } from '@novacron/contracts/envelope';
import type { VmId } from '@novacron/contracts/ids';
import { vmsRpc, type MergePatchVm, type PatchVm } from '@novacron/contracts/vms';
import type { z } from 'zod';
import type { Answer } from '../http/answer.js';
import { expectedVersion } from '../http/etag.js';
import { isMergePatch } from '../http/json-body.js';
import type { Requester } from '../reads/requester.js';

type Body = z.infer<typeof PatchVm> | z.infer<typeof MergePatchVm>;

/** Changes the name, tags and restart policy of VMs. */
@Injectable()
export class VmPatcher {
  async patch(requester: Requester, id: VmId, body: Body): Promise<Answer> {
    const { headers } = requester;
    const ifMatch = expectedVersion(headers['if-match']);
    const expected = ifMatch === undefined ? {} : { ifMatch };
    const request = { id, patch: patchOf(body, headers), ...expected };
    const vm = (await requester.request(vmsRpc.patch, request)).body;
    return { status: 200, body: vm, version: vm.version };
  }
}

/** In a merge patch null means "no tags". */
function patchOf(body: Body, headers: IncomingHttpHeaders): BodyOf<typeof vmsRpc.patch>['patch'] {
  if (!isMergePatch(headers)) return body as z.infer<typeof PatchVm>;
  const { tags, ...rest } = body;
  if (tags === undefined) return rest;
  return tags === null ? { ...rest, tags: {} } : { ...rest, tagChanges: tags };
}
