import { ServiceError } from '@novacron/contracts/errors';
import { REPLICATION_SERVICES, replicationRpc, ServiceReplication } from '@novacron/contracts/replication';
import { z } from 'zod';
import type { Call } from '../edge/call.js';
import { defineRoute } from '../edge/route.js';

const DEADLINE_MS = 1_500;

export const ReplicationAnswer = z.object({
  services: z.array(ServiceReplication),
  missing: z.array(z.string()).describe('Services that did not answer in time.'),
});

export const getReplication = defineRoute({
  id: 'getReplication',
  method: 'GET',
  path: '/api/v1/replication',
  tag: 'Operations',
  summary: 'For each service its database servers, their lag and their share of reads',
  access: 'platform',
  answers: { 200: { description: 'As one process of each service sees it.', schema: ReplicationAnswer } },
  errors: [],
  async handle(call, { replication }) {
    const asked = await Promise.all([
      replication(),
      ...REPLICATION_SERVICES.map((service) => replicationIn(call, service)),
    ]);
    const services = asked.filter((found) => found !== null);
    const missing = REPLICATION_SERVICES.filter((name) => !services.some(({ service }) => service === name));
    return { status: 200, body: { services, missing } };
  },
});

async function replicationIn(call: Call, service: string): Promise<ServiceReplication | null> {
  try {
    return (await call.ask(replicationRpc(service), {}, DEADLINE_MS)).body;
  } catch (error) {
    if (error instanceof ServiceError) return null;
    throw error;
  }
}
