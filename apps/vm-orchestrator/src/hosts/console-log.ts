import type { RequestMeta } from '@novacron/contracts/envelope';
import { ServiceError } from '@novacron/contracts/errors';
import { newId, type VmId } from '@novacron/contracts/ids';
import { CONSOLE_BYTES, jsonTail, looksCut } from '@novacron/contracts/reply-size';
import type { Database } from '@novacron/postgres/database';
import type { CommandLink } from '../jobs/host-commands.js';
import type { HostSnapshot } from './snapshot.js';
import { readVmRow } from '../vms/read.js';

const TIMEOUT_MS = 5_000;

/**
 * The tail of the guest's serial console, straight from its host.
 * @throws ServiceError not_found; capability_unsupported; invalid_state before it has a host; dependency_down
 */
export async function consoleLog(
  ports: { db: Database; link: CommandLink; hosts: Pick<HostSnapshot, 'host' | 'generation'> },
  meta: RequestMeta,
  { id, maxBytes }: { id: VmId; maxBytes: number },
) {
  const { row, position } = await readVmRow(ports.db, meta, id);
  const host = row.host_id === null ? undefined : ports.hosts.host(row.host_id);
  if (!host) throw new ServiceError('invalid_state', `The VM is ${row.state}: it has no console yet`);
  if (!host.capabilities.includes('console-log')) {
    throw new ServiceError('capability_unsupported', `The driver of host ${host.name} keeps no console log`);
  }
  const answer = await ports.link.command(
    host.id,
    {
      kind: 'console-log',
      maxBytes,
      commandId: `console:${newId<string>()}`,
      vmId: row.id,
      epoch: host.epoch,
      generation: ports.hosts.generation,
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
