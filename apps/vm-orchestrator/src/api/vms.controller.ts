import { vmsRpc } from '@novacron/contracts/vms';
import type { BodyOf, RawReply, ReplyOf, RpcReply, RpcRequest } from '@novacron/contracts/envelope';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { Controller } from '@nestjs/common';
import { Core } from '../core.js';
import { consoleLog } from '../hosts/console-log.js';
import { listVms } from '../vms/list.js';
import { patchVm } from '../admission/patch.js';
import { getPlacement, getVm, locateVms } from '../vms/read.js';

type Reply<C extends keyof typeof vmsRpc> = Promise<RpcReply<ReplyOf<(typeof vmsRpc)[C]>>>;
type Request<C extends keyof typeof vmsRpc> = RpcRequest<BodyOf<(typeof vmsRpc)[C]>>;

/** VMs, as other services may ask of them. */
@Controller()
export class VmsController {
  constructor(private readonly core: Core) {}

  @RpcHandler(vmsRpc.create)
  create({ meta, body }: Request<'create'>): Reply<'create'> {
    return this.core.creator.create(meta, body);
  }

  @RpcHandler(vmsRpc.list)
  list({ meta, body }: Request<'list'>): Promise<RawReply> {
    return listVms(this.core.api, meta, body);
  }

  @RpcHandler(vmsRpc.get)
  get({ meta, body }: Request<'get'>): Reply<'get'> {
    return getVm(this.core.api, meta, body);
  }

  @RpcHandler(vmsRpc.patch)
  async patch({ meta, body }: Request<'patch'>): Reply<'patch'> {
    const reply = await patchVm(this.core.api, meta, body);
    this.core.relay.wake();
    return reply;
  }

  @RpcHandler(vmsRpc.act)
  act({ meta, body }: Request<'act'>): Reply<'act'> {
    return this.core.actor.act(meta, body);
  }

  @RpcHandler(vmsRpc.placement)
  placement({ meta, body }: Request<'placement'>): Reply<'placement'> {
    return getPlacement(this.core.api, meta, body.id);
  }

  @RpcHandler(vmsRpc.consoleLog)
  consoleLog({ meta, body }: Request<'consoleLog'>): Reply<'consoleLog'> {
    return consoleLog({ db: this.core.api, link: this.core.link, hosts: this.core.hosts }, meta, body);
  }

  @RpcHandler(vmsRpc.locate)
  locate({ body }: Request<'locate'>): Reply<'locate'> {
    return locateVms(this.core.sys, body.ids);
  }
}
