import { GROUPS } from '@novacron/cache/rules';
import { HostId } from '@novacron/contracts/ids';
import {
  Host,
  HostAction,
  HostListQuery,
  HostPage,
  Image,
  infrastructureRpc,
  Zone,
} from '@novacron/contracts/infrastructure';
import { pageOf } from '@novacron/contracts/common';
import { z } from 'zod';
import { defineRoute } from '../edge/route.js';
import { defineRead } from '../reads/define-read.js';
import { question } from '../reads/question.js';

const hostParams = z.object({ id: HostId });
const tag = 'Infrastructure';
/** Every tenant is told the same. */
const ALL = { id: 'all', forAll: true } as const;

export const listHosts = defineRead({
  id: 'listHosts',
  path: '/api/v1/hosts',
  tag,
  summary: 'List hosts',
  access: 'platform',
  query: HostListQuery,
  answer: { description: 'All hosts that fit the filters.', schema: HostPage },
  errors: [],
  // For operators alone, who are told the present.
  ask: ({ query }) => question(infrastructureRpc.hosts, query, null),
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
  access: 'platform',
  params: hostParams.extend({ action: HostAction }),
  answers: {
    200: { description: 'The host as it is now.', schema: Host, headers: ['ETag', 'Idempotency-Replayed'] },
  },
  errors: ['not_found', 'invalid_state', 'version_conflict', 'capability_unsupported'],
  async handle(call) {
    const host = (await call.ask(infrastructureRpc.actOnHost, call.params)).body;
    return { status: 200, body: host, version: host.version };
  },
});

export const listZones = defineRead({
  id: 'listZones',
  path: '/api/v1/zones',
  tag,
  summary: 'List zones',
  access: 'read',
  answer: { description: 'All zones.', schema: pageOf(Zone) },
  errors: [],
  ask: () => question(infrastructureRpc.zones, {}, { ...ALL, type: 'zone-list', group: GROUPS.zones }),
});

export const listImages = defineRead({
  id: 'listImages',
  path: '/api/v1/images',
  tag,
  summary: 'List images, with the zones that run them',
  access: 'read',
  answer: { description: 'All images.', schema: pageOf(Image) },
  errors: [],
  ask: () => question(infrastructureRpc.images, {}, { ...ALL, type: 'image-list', group: GROUPS.images }),
});

export const infrastructureRoutes = [listHosts, getHost, actOnHost, listZones, listImages];
