import { Controller } from '@nestjs/common';
import type { InputOf } from '@novacron/contracts/operation';
import {
  actOnVm,
  createVm,
  deleteVm,
  getConsoleLog,
  getPlacement,
  getVm,
  listVms,
  patchVm,
  waitForVm,
} from '@novacron/contracts/operations/vms';
import type { Answer } from '../http/answer.js';
import { CurrentRequester, Input } from '../http/input.js';
import { Operation } from '../http/operation.js';
import { ReadResponder } from '../http/read-responder.js';
import type { Requester } from '../reads/requester.js';
import { ConsoleLogs } from './console-logs.js';
import { VmActions } from './vm-actions.js';
import { VmCreator } from './vm-creator.js';
import { VmPatcher } from './vm-patcher.js';
import { placementQuery, vmListQuery, vmQuery } from './vm-queries.js';
import { VmWaits } from './vm-waits.js';

@Controller()
export class VmsController {
  constructor(
    private readonly creator: VmCreator,
    private readonly actions: VmActions,
    private readonly patcher: VmPatcher,
    private readonly waits: VmWaits,
    private readonly consoleLogs: ConsoleLogs,
    private readonly reads: ReadResponder,
  ) {}

  @Operation(createVm)
  create(
    @Input() { body }: InputOf<typeof createVm>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.creator.create(requester, body);
  }

  @Operation(listVms)
  list(
    @Input() { query }: InputOf<typeof listVms>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.reads.answer(requester, vmListQuery(query));
  }

  @Operation(getVm)
  get(@Input() { params }: InputOf<typeof getVm>, @CurrentRequester() requester: Requester): Promise<Answer> {
    return this.reads.answer(requester, vmQuery(params.id));
  }

  @Operation(patchVm)
  patch(
    @Input() { params, body }: InputOf<typeof patchVm>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.patcher.patch(requester, params.id, body);
  }

  @Operation(deleteVm)
  delete(
    @Input() { params }: InputOf<typeof deleteVm>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.actions.delete(requester, params.id);
  }

  @Operation(actOnVm)
  act(
    @Input() { params, body }: InputOf<typeof actOnVm>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.actions.act(requester, params, body);
  }

  @Operation(waitForVm)
  wait(
    @Input() { params, query }: InputOf<typeof waitForVm>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.waits.answer(requester, params.id, query.state, query.timeout);
  }

  @Operation(getConsoleLog)
  consoleLog(
    @Input() { params, query }: InputOf<typeof getConsoleLog>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.consoleLogs.read(requester, params.id, query.maxBytes);
  }

  @Operation(getPlacement)
  placement(
    @Input() { params }: InputOf<typeof getPlacement>,
    @CurrentRequester() requester: Requester,
  ): Promise<Answer> {
    return this.reads.answer(requester, placementQuery(params.id));
  }
}
