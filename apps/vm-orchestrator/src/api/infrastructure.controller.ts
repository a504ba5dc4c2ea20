import { Controller } from '@nestjs/common';
import type {
  BodyOf,
  RawReply,
  ReplyOf,
  RequestMeta,
  RpcReply,
  RpcRequest,
} from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import { formatPosition } from '@novacron/contracts/position';
import { RpcHandler } from '@novacron/messaging/rpc-server';
import { HostActions } from '../admission/host-actions.js';
import { HostInvites } from '../admission/host-invites.js';
import { HostDirectory } from '../hosts/host-directory.js';
import { toHost } from '../hosts/row.js';

type Rpc = typeof infrastructureRpc;
type Asked<K extends keyof Rpc> = RpcRequest<BodyOf<Rpc[K]>>;
type Answered<K extends keyof Rpc> = Promise<RpcReply<ReplyOf<Rpc[K]>>>;

/** Serves hosts, zones and images to other services. Acting on a host takes a platform operator. */
@Controller()
export class InfrastructureController {
  constructor(
    private readonly directory: HostDirectory,
    private readonly actions: HostActions,
    private readonly hostInvites: HostInvites,
  ) {}

  @RpcHandler(infrastructureRpc.hosts)
  hosts({ meta, body }: Asked<'hosts'>): Promise<RawReply> {
    return this.directory.hosts(meta, body);
  }

  @RpcHandler(infrastructureRpc.host)
  host({ meta, body }: Asked<'host'>): Answered<'host'> {
    return this.directory.host(meta, body.id);
  }

  @RpcHandler(infrastructureRpc.zones)
  zones({ meta, body }: Asked<'zones'>): Promise<RawReply> {
    return this.directory.zones(meta, body);
  }

  @RpcHandler(infrastructureRpc.images)
  images({ meta, body }: Asked<'images'>): Promise<RawReply> {
    return this.directory.images(meta, body);
  }

  @RpcHandler(infrastructureRpc.actOnHost)
  async act({ meta, body }: Asked<'actOnHost'>): Answered<'actOnHost'> {
    requireOperator(meta);
    const { answer, replayed, position } = await this.actions.act(meta, body.id, body.action, body.options);
    const reply = { body: answer, version: answer.version, position: formatPosition(position) };
    return replayed ? { ...reply, replayed } : reply;
  }

  @RpcHandler(infrastructureRpc.removeHost)
  async remove({ meta, body }: Asked<'removeHost'>): Answered<'removeHost'> {
    requireOperator(meta);
    const { row, position } = await this.actions.remove(body.id);
    return { body: toHost(row), version: row.version, position: formatPosition(position) };
  }

  @RpcHandler(infrastructureRpc.inviteHost)
  async inviteHost({ meta, body }: Asked<'inviteHost'>): Answered<'inviteHost'> {
    requireOperator(meta);
    const { invite, position, replayed } = await this.hostInvites.create(meta, body);
    return { body: invite, position: formatPosition(position), ...(replayed ? { replayed } : {}) };
  }
}

function requireOperator(meta: Pick<RequestMeta, 'roles'>): void {
  if (meta.roles.includes('platform_operator')) return;
  throw new ServiceError('forbidden', 'Acting on a host takes a platform operator');
}
