import { ServiceError } from '@novacron/contracts/errors';
import { getReplication } from '@novacron/contracts/operations/platform';
import {
  REPLICATION_SERVICES,
  replicationRpc,
  type ServiceReplication,
} from '@novacron/contracts/replication';
import type { Call } from '../edge/call.js';
import { implement } from '../edge/route.js';

const DEADLINE_MS = 1_500;

export const getReplicationRoute = implement(getReplication, async (call, { replication }) => {
  const asked = await Promise.all([
    replication(),
    ...REPLICATION_SERVICES.map((service) => replicationIn(call, service)),
  ]);
  const services = asked.filter((found) => found !== null);
  const missing = REPLICATION_SERVICES.filter((name) => !services.some(({ service }) => service === name));
  return { status: 200, body: { services, missing } };
});

async function replicationIn(call: Call, service: string): Promise<ServiceReplication | null> {
  try {
    return (await call.ask(replicationRpc(service), {}, DEADLINE_MS)).body;
  } catch (error) {
    if (error instanceof ServiceError) return null;
    throw error;
  }
}
