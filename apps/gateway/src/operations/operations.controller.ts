import { Controller } from '@nestjs/common';
import { Cache } from '@novacron/cache/cache';
import { cacheRpc } from '@novacron/contracts/cache-stats';
import type { BodyOf, ReplyOf, RpcContract } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import type { InputOf } from '@novacron/contracts/operation';
import { getCacheStats, getReplication } from '@novacron/contracts/operations/platform';
import { REPLICATION_SERVICES, replicationRpc } from '@novacron/contracts/replication';
import { Replication } from '@novacron/service-kit/replication';
import type { Answer } from '../http/answer.js';
import { CurrentRequester, Input } from '../http/input.js';
import { Operation } from '../http/operation.js';
import type { Requester } from '../reads/requester.js';

/** A service that does not answer is left out. */
const CACHE_DEADLINE_MS = 1_000;
const REPLICATION_DEADLINE_MS = 1_500;

/** The state of caches and databases, for platform operators. */
@Controller()
export class OperationsController {
  constructor(
    private readonly cache: Cache,
    private readonly replication: Replication,
  ) {}

  @Operation(getCacheStats)
  async cacheStats(
    @Input() _input: InputOf<typeof getCacheStats>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    const invalidator = await replyIfAny(requester, cacheRpc.stats, CACHE_DEADLINE_MS);
    return { status: 200, body: { gateway: this.cache.stats(), invalidator } };
  }

  @Operation(getReplication)
  async replicationOfServices(
    @Input() _input: InputOf<typeof getReplication>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    const replies = await Promise.all([
      this.replication.get(),
      ...REPLICATION_SERVICES.map((service) =>
        replyIfAny(requester, replicationRpc(service), REPLICATION_DEADLINE_MS),
      ),
    ]);
    const services = replies.filter((reply) => reply !== null);
    const missing = REPLICATION_SERVICES.filter((name) => !services.some(({ service }) => service === name));
    return { status: 200, body: { services, missing } };
  }
}

async function replyIfAny<C extends RpcContract>(
  requester: Requester,
  contract: C,
  deadlineMs: number,
): Promise<ReplyOf<C> | null> {
  try {
    return (await requester.request(contract, {} as BodyOf<C>, deadlineMs)).body;
  } catch (error) {
    if (error instanceof ServiceError) return null;
    throw error;
  }
}
