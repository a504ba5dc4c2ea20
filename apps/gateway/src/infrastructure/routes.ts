import { GROUPS } from '@novacron/cache/rules';
import { PAGE_LIMIT } from '@novacron/contracts/common';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import * as operations from '@novacron/contracts/operations/infrastructure';
import { implement, implementRead } from '../http/route.js';
import { queryId, question } from '../reads/cacheable-query.js';

// For operators alone, who are told the present. An orchestrator of the version before refuses a limit, so that the
// usual one is left out.
const listHosts = implementRead(operations.listHosts, ({ query: { limit, ...filters } }) =>
  question(infrastructureRpc.hosts, limit === PAGE_LIMIT ? filters : { limit, ...filters }, null),
);

const getHost = implementRead(operations.getHost, ({ params: { id } }) =>
  question(infrastructureRpc.host, { id }, null),
);

const actOnHost = implement(operations.actOnHost, async (call) => {
  const host = (await call.ask(infrastructureRpc.actOnHost, { ...call.params, options: call.body })).body;
  return { status: 200, body: host, version: host.version };
});

const removeHost = implement(operations.removeHost, async (call) => {
  await call.ask(infrastructureRpc.removeHost, call.params);
  return { status: 204 };
});

const inviteHost = implement(operations.inviteHost, async (call) => {
  const { body } = await call.ask(infrastructureRpc.inviteHost, call.body);
  return { status: 201, body };
});

// Every tenant is told the same.
const listZones = implementRead(operations.listZones, ({ query }) =>
  question(infrastructureRpc.zones, query, {
    type: 'zone-list',
    id: queryId(query),
    group: GROUPS.zones,
    forAll: true,
  }),
);

const listImages = implementRead(operations.listImages, ({ query }) =>
  question(infrastructureRpc.images, query, {
    type: 'image-list',
    id: queryId(query),
    group: GROUPS.images,
    forAll: true,
  }),
);

export const infrastructureRoutes = [
  listHosts,
  getHost,
  actOnHost,
  removeHost,
  inviteHost,
  listZones,
  listImages,
];
