import { Controller } from '@nestjs/common';
import { ServiceError } from '@novacron/contracts/errors';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import type { InputOf } from '@novacron/contracts/operation';
import { getMe, getQuota } from '@novacron/contracts/operations/tenancy';
import type { Answer } from '../http/answer.js';
import { CurrentRequester, Input } from '../http/input.js';
import { Operation } from '../http/operation.js';
import type { Requester } from '../reads/requester.js';

@Controller()
export class TenancyController {
  @Operation(getMe)
  me(@Input() _input: InputOf<typeof getMe>, @CurrentRequester() { caller }: Requester): Answer {
    const tenant = { id: caller.tenantId, name: caller.tenantName };
    return { status: 200, body: { principal: caller.principal, roles: caller.roles, tenant } };
  }

  @Operation(getQuota)
  async quota(
    @Input() { params }: InputOf<typeof getQuota>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    if (params.id !== requester.caller.tenantId)
      throw new ServiceError('not_found', 'There is no such tenant.');
    return { status: 200, body: (await requester.request(infrastructureRpc.quota, {})).body };
  }
}
