import { GROUPS } from '@novacron/cache/rules';
import { HostId } from '@novacron/contracts/ids';
import {
  Host,
  HostAction,
  HostActionOptions,
  HostListQuery,
  HostPage,
  HostInvite,
  ImagePage,
  InviteHost,
  infrastructureRpc,
  PageQuery,
  ZonePage,
} from '@novacron/contracts/infrastructure';
import { PAGE_LIMIT } from '@novacron/contracts/common';
import { z } from 'zod';
import { defineRoute } from '../edge/route.js';
import { defineRead } from '../reads/define-read.js';
import { queryId, question } from '../reads/question.js';

const hostParams = z.object({ id: HostId });
const tag = 'Infrastructure';

export const listHosts = defineRead({
  id: 'listHosts',
  path: '/api/v1/hosts',
  tag,
  summary: 'List hosts',
  access: 'platform',
  query: HostListQuery,
  answer: { description: 'A page of the hosts that fit the filters, by name.', schema: HostPage },
  errors: [],
  // For operators alone, who are told the present. An orchestrator of the version before refuses a limit, so that the
  // usual one is left out.
  ask: ({ query: { limit, ...filters } }) =>
    question(infrastructureRpc.hosts, limit === PAGE_LIMIT ? filters : { limit, ...filters }, null),
});

export const getHost = defineRead({
  id: 'getHost',
  path: '/api/v1/hosts/{id}',
  tag,
  summary: 'Get a host',
  access: 'platform',
  params: hostParams,
  answer: { description: 'The host.', schema: Host },
  errors: ['not_found'],
  ask: ({ params: { id } }) => question(infrastructureRpc.host, { id }, null),
});

export const actOnHost = defineRoute({
  id: 'actOnHost',
  method: 'POST',
  path: '/api/v1/hosts/{id}/actions/{action}',
  tag,
  summary: 'Cordon, uncordon, drain or fence a host',
  description:
    'A drain with `{"mode": "stop"}` stops the VMs and makes them anew on other hosts where their image allows; ' +
    '`drain` of the host shows how far it is and names the VMs that cannot leave. `uncordon` ends it.',
  access: 'platform',
  params: hostParams.extend({ action: HostAction }),
  body: HostActionOptions,
  bodyIsOptional: true,
  answers: {
    200: { description: 'The host as it is now.', schema: Host, headers: ['ETag', 'Idempotency-Replayed'] },
  },
  errors: ['not_found', 'invalid_state', 'capability_unsupported'],
  async handle(call) {
    const host = (await call.ask(infrastructureRpc.actOnHost, { ...call.params, options: call.body })).body;
    return { status: 200, body: host, version: host.version };
  },
});

export const removeHost = defineRoute({
  id: 'removeHost',
  method: 'DELETE',
  path: '/api/v1/hosts/{id}',
  tag,
  summary: 'Remove a host that has no VMs',
  description:
    'Drain it first. It registers again only with a join token or a line in the list of approved hosts.',
  access: 'platform',
  params: hostParams,
  answers: { 204: { description: 'The host is removed.' } },
  errors: ['not_found', 'invalid_state'],
  async handle(call) {
    await call.ask(infrastructureRpc.removeHost, call.params);
    return { status: 204 };
  },
});

export const inviteHost = defineRoute({
  id: 'inviteHost',
  method: 'POST',
  path: '/api/v1/hosts/invites',
  tag,
  summary: 'Make a join token for one host, valid for an hour',
  access: 'platform',
  body: InviteHost,
  answers: {
    201: {
      description: 'The join token, which is shown once, and what it approves.',
      schema: HostInvite,
      headers: ['Idempotency-Replayed'],
    },
  },
  errors: [],
  async handle(call) {
    const { body } = await call.ask(infrastructureRpc.inviteHost, call.body);
    return { status: 201, body };
  },
});

export const listZones = defineRead({
  id: 'listZones',
  path: '/api/v1/zones',
  tag,
  summary: 'List zones',
  access: 'read',
  query: PageQuery,
  answer: { description: 'A page of the zones, by name.', schema: ZonePage },
  errors: [],
  // Every tenant is told the same.
  ask: ({ query }) =>
    question(infrastructureRpc.zones, query, {
      type: 'zone-list',
      id: queryId(query),
      group: GROUPS.zones,
      forAll: true,
    }),
});

export const listImages = defineRead({
  id: 'listImages',
  path: '/api/v1/images',
  tag,
  summary: 'List images, with the zones that run them',
  access: 'read',
  query: PageQuery,
  answer: { description: 'A page of the images, by name.', schema: ImagePage },
  errors: [],
  ask: ({ query }) =>
    question(infrastructureRpc.images, query, {
      type: 'image-list',
      id: queryId(query),
      group: GROUPS.images,
      forAll: true,
    }),
});

export const infrastructureRoutes = [
  listHosts,
  getHost,
  actOnHost,
  removeHost,
  inviteHost,
  listZones,
  listImages,
];
