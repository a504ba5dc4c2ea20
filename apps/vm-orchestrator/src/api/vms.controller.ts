import { Controller } from '@nestjs/common';
import type { BodyOf, RawReply, ReplyOf, RpcReply, RpcRequest } from '@novacron/contracts/envelope';
import { vmsRpc } from '@novacron/contracts/vms';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { VmActor } from '../admission/act.js';
import { VmCreator } from '../admission/create.js';
import { VmPatcher } from '../admission/patch.js';
import { ConsoleLogs } from '../hosts/console-logs.js';
import { VmReads } from '../vms/vm-reads.js';

type Reply<C extends keyof typeof vmsRpc> = Promise<RpcReply<ReplyOf<(typeof vmsRpc)[C]>>>;
type Request<C extends keyof typeof vmsRpc> = RpcRequest<BodyOf<(typeof vmsRpc)[C]>>;

/** Serves VMs to other services. */
@Controller()
export class VmsController {
  constructor(
    private readonly creator: VmCreator,
    private readonly actor: VmActor,
    private readonly patcher: VmPatcher,
    private readonly reads: VmReads,
    private readonly consoleLogs: ConsoleLogs,
  ) {}

  @RpcHandler(vmsRpc.create)
  create({ meta, body }: Request<'create'>): Reply<'create'> {
    return this.creator.create(meta, body);
  }

  @RpcHandler(vmsRpc.list)
  list({ meta, body }: Request<'list'>): Promise<RawReply> {
    return this.reads.list(meta, body);
  }

  @RpcHandler(vmsRpc.get)
  get({ meta, body }: Request<'get'>): Reply<'get'> {
    return this.reads.get(meta, body);
  }

  @RpcHandler(vmsRpc.patch)
  patch({ meta, body }: Request<'patch'>): Reply<'patch'> {
    return this.patcher.patch(meta, body);
  }

  @RpcHandler(vmsRpc.act)
  act({ meta, body }: Request<'act'>): Reply<'act'> {
    return this.actor.act(meta, body);
  }

  @RpcHandler(vmsRpc.placement)
  placement({ meta, body }: Request<'placement'>): Reply<'placement'> {
    return this.reads.placement(meta, body.id);
  }

  @RpcHandler(vmsRpc.consoleLog)
  consoleLog({ meta, body }: Request<'consoleLog'>): Reply<'consoleLog'> {
    return this.consoleLogs.read(meta, body);
  }

  @RpcHandler(vmsRpc.locate)
  locate({ body }: Request<'locate'>): Reply<'locate'> {
    return this.reads.locate(body.ids);
  }
}
