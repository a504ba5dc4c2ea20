import { wholeNumber } from '@novacron/contracts/common';
import { ConsoleLog, vmsRpc } from '@novacron/contracts/vms';
import { z } from 'zod';
import { prefersJson } from '../edge/accept.js';
import { defineRoute } from '../edge/route.js';
import { vmParams } from './parameters.js';

export const getConsoleLog = defineRoute({
  id: 'getConsoleLog',
  method: 'GET',
  path: '/api/v1/vms/{id}/console/log',
  tag: 'VMs',
  summary: "The end of a VM's serial console",
  description:
    'Plain text, or JSON where Accept asks for it. Less than `maxBytes` comes where control characters would make ' +
    'the answer too large.',
  access: 'read',
  params: vmParams,
  query: z.strictObject({ maxBytes: wholeNumber(1, 262_144).default(65_536) }),
  answers: {
    200: {
      description: 'The log.',
      schema: ConsoleLog,
      contentType: 'text/plain',
      headers: ['NovaCron-Truncated'],
    },
  },
  errors: ['not_found', 'invalid_state', 'capability_unsupported'],
  async handle(call) {
    const log = (await call.ask(vmsRpc.consoleLog, { id: call.params.id, maxBytes: call.query.maxBytes }))
      .body;
    if (prefersJson(call.headers.accept)) return { status: 200, body: log };
    return { status: 200, text: log.text, headers: { 'NovaCron-Truncated': String(log.truncated) } };
  },
});
