import { Controller } from '@nestjs/common';
import { GROUPS } from '@novacron/cache/rules';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import type { InputOf } from '@novacron/contracts/operation';
import { listImages, listZones } from '@novacron/contracts/operations/infrastructure';
import type { Answer } from '../http/answer.js';
import { CurrentRequester, Input } from '../http/input.js';
import { Operation } from '../http/operation.js';
import { ReadResponder } from '../http/read-responder.js';
import { cacheableQuery, queryId } from '../reads/cacheable-query.js';
import type { Requester } from '../reads/requester.js';

/** Zones and images: the same for every tenant. */
@Controller()
export class CatalogueController {
  constructor(private readonly reads: ReadResponder) {}

  @Operation(listZones)
  zones(
    @Input() { query }: InputOf<typeof listZones>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    const key = { type: 'zone-list', id: queryId(query), group: GROUPS.zones, forAll: true } as const;
    return this.reads.answer(requester, cacheableQuery(infrastructureRpc.zones, query, key));
  }

  @Operation(listImages)
  images(
    @Input() { query }: InputOf<typeof listImages>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    const key = { type: 'image-list', id: queryId(query), group: GROUPS.images, forAll: true } as const;
    return this.reads.answer(requester, cacheableQuery(infrastructureRpc.images, query, key));
  }
}
