import { getConsoleLog } from '@novacron/contracts/operations/vms';
import { vmsRpc } from '@novacron/contracts/vms';
import { prefersJson } from '../http/accept.js';
import { implement } from '../http/route.js';

export const getConsoleLogRoute = implement(getConsoleLog, async (call) => {
  const log = (await call.ask(vmsRpc.consoleLog, { id: call.params.id, maxBytes: call.query.maxBytes })).body;
  if (prefersJson(call.headers.accept)) return { status: 200, body: log };
  return { status: 200, text: log.text, headers: { 'NovaCron-Truncated': String(log.truncated) } };
});
