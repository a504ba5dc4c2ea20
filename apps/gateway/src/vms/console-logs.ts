import { Injectable } from '@nestjs/common';
import type { VmId } from '@novacron/contracts/ids';
import { vmsRpc } from '@novacron/contracts/vms';
import { prefersJson } from '../http/accept.js';
import type { Answer } from '../http/answer.js';
import type { Requester } from '../reads/requester.js';

/** Reads serial consoles, as plain text or as JSON. */
@Injectable()
export class ConsoleLogs {
  async read(requester: Requester, id: VmId, maxBytes: number): Promise<Answer> {
    const log = (await requester.request(vmsRpc.consoleLog, { id, maxBytes })).body;
    if (prefersJson(requester.headers.accept)) return { status: 200, body: log };
    return { status: 200, text: log.text, headers: { 'NovaCron-Truncated': String(log.truncated) } };
  }
}
