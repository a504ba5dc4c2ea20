import { Injectable } from '@nestjs/common';
import type { BodyOf, ReplyOf, RequestMeta, RpcReply } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { newId } from '@novacron/contracts/ids';
import { CONSOLE_BYTES, jsonTail, looksCut } from '@novacron/contracts/reply-size';
import type { vmsRpc } from '@novacron/contracts/vms';
import { VmReads } from '../vms/vm-reads.js';
import { HostLink } from './host-link.js';
import { HostSnapshot } from './snapshot.js';

type Contract = typeof vmsRpc.consoleLog;

const TIMEOUT_MS = 5_000;

/** The serial consoles of guests, straight from their hosts. */
@Injectable()
export class ConsoleLogs {
  constructor(
    private readonly vms: VmReads,
    private readonly hosts: HostSnapshot,
    private readonly link: HostLink,
  ) {}

  /**
   * The last bytes of a guest's console.
   * @throws ServiceError not_found; capability_unsupported; invalid_state before it has a host; dependency_down
   */
  async read(meta: RequestMeta, { id, maxBytes }: BodyOf<Contract>): Promise<RpcReply<ReplyOf<Contract>>> {
    const { row, position } = await this.vms.row(meta, id);
    const host = row.host_id === null ? undefined : this.hosts.host(row.host_id);
    if (!host) throw new ServiceError('invalid_state', `The VM is ${row.state}: it has no console yet`);
    if (!host.capabilities.includes('console-log')) {
      throw new ServiceError(
        'capability_unsupported',
        `The driver of host ${host.name} keeps no console log`,
      );
    }
    const answer = await this.link.command(
      host.id,
      {
        kind: 'console-log',
        maxBytes,
        commandId: `console:${newId<string>()}`,
        vmId: row.id,
        epoch: host.epoch,
        generation: this.hosts.generation,
        fence: row.fence,
      },
      Math.min(TIMEOUT_MS, meta.remainingMs),
    );
    if (answer.outcome === 'done') {
      const text = jsonTail(answer.text ?? '', CONSOLE_BYTES);
      const truncated = Buffer.byteLength(text) >= maxBytes || looksCut(text, CONSOLE_BYTES);
      return { body: { vmId: row.id, text, truncated }, position };
    }
    if (answer.outcome === 'failed' && answer.code === 'not_found') {
      return { body: { vmId: row.id, text: '', truncated: false }, position };
    }
    const detail = 'detail' in answer ? answer.detail : 'it is busy';
    throw new ServiceError('dependency_down', `Host ${host.name} gave no console log: ${detail}`, {
      retryAfterMs: 1_000,
    });
  }
}
