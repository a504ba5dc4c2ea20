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

const hostParams = z.object({ id: HostId });
const tag = 'Infrastructure';

export const listHosts = defineRoute({
  id: 'listHosts',
  method: 'GET',
  path: '/api/v1/hosts',
  tag,
  summary: 'List hosts',
  access: 'platform',
  query: HostListQuery,
  answers: { 200: { description: 'All hosts that fit the filters.', schema: HostPage } },
  errors: [],
  async handle(call) {
    return { status: 200, body: (await call.ask(infrastructureRpc.hosts, call.query)).body };
  },
});

export const getHost = defineRoute({
  id: 'getHost',
  method: 'GET',
  path: '/api/v1/hosts/{id}',
  tag,
  summary: 'Get a host',
  access: 'platform',
  params: hostParams,
  answers: { 200: { description: 'The host.', schema: Host, headers: ['ETag'] } },
  errors: ['not_found'],
  async handle(call) {
    const host = (await call.ask(infrastructureRpc.host, call.params)).body;
    return { status: 200, body: host, version: host.version };
  },
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

export const listZones = defineRoute({
  id: 'listZones',
  method: 'GET',
  path: '/api/v1/zones',
  tag,
  summary: 'List zones',
  access: 'read',
  answers: { 200: { description: 'All zones.', schema: pageOf(Zone) } },
  errors: [],
  async handle(call) {
    return { status: 200, body: (await call.ask(infrastructureRpc.zones, {})).body };
  },
});

export const listImages = defineRoute({
  id: 'listImages',
  method: 'GET',
  path: '/api/v1/images',
  tag,
  summary: 'List images, with the zones that run them',
  access: 'read',
  answers: { 200: { description: 'All images.', schema: pageOf(Image) } },
  errors: [],
  async handle(call) {
    return { status: 200, body: (await call.ask(infrastructureRpc.images, {})).body };
  },
});

export const infrastructureRoutes = [listHosts, getHost, actOnHost, listZones, listImages];
