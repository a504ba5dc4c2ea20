import { Controller } from '@nestjs/common';
import { PAGE_LIMIT } from '@novacron/contracts/common';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import type { InputOf } from '@novacron/contracts/operation';
import {
  actOnHost,
  getHost,
  inviteHost,
  listHosts,
  removeHost,
} from '@novacron/contracts/operations/infrastructure';
import type { Answer } from '../http/answer.js';
import { CurrentRequester, Input } from '../http/input.js';
import { Operation } from '../http/operation.js';
import { ReadResponder } from '../http/read-responder.js';
import { cacheableQuery } from '../reads/cacheable-query.js';
import type { Requester } from '../reads/requester.js';

/** Hosts, for platform operators. Their reads are never cached: an operator sees the present. */
@Controller()
export class HostsController {
  constructor(private readonly reads: ReadResponder) {}

  @Operation(listHosts)
  list(
    @Input() { query }: InputOf<typeof listHosts>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    const { limit, ...filters } = query;
    // An orchestrator of the previous version refuses a limit, so the default is left out.
    const body = limit === PAGE_LIMIT ? filters : { limit, ...filters };
    return this.reads.answer(requester, cacheableQuery(infrastructureRpc.hosts, body, null));
  }

  @Operation(getHost)
  get(
    @Input() { params: { id } }: InputOf<typeof getHost>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.reads.answer(requester, cacheableQuery(infrastructureRpc.host, { id }, null));
  }

  @Operation(actOnHost)
  async act(
    @Input() { params, body }: InputOf<typeof actOnHost>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    const request = { ...params, options: body };
    const host = (await requester.request(infrastructureRpc.actOnHost, request)).body;
    return { status: 200, body: host, version: host.version };
  }

  @Operation(removeHost)
  async remove(
    @Input() { params }: InputOf<typeof removeHost>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    await requester.request(infrastructureRpc.removeHost, params);
    return { status: 204 };
  }

  @Operation(inviteHost)
  async invite(
    @Input() { body }: InputOf<typeof inviteHost>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    const invite = (await requester.request(infrastructureRpc.inviteHost, body)).body;
    return { status: 201, body: invite };
  }
}
