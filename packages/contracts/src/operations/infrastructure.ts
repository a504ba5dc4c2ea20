import { z } from 'zod';
import { HostId } from '../ids.js';
import {
  Host,
  HostAction,
  HostActionOptions,
  HostInvite,
  HostListQuery,
  HostPage,
  ImagePage,
  InviteHost,
  PageQuery,
  ZonePage,
} from '../infrastructure.js';
import { defineOperation, defineRead } from '../operation.js';

const tag = 'Infrastructure';
const hostParams = z.object({ id: HostId });

export const listHosts = defineRead({
  id: 'listHosts',
  path: '/api/v1/hosts',
  tag,
  summary: 'List hosts',
  access: 'platform',
  query: HostListQuery,
  answer: { description: 'A page of the hosts that match the filters, by name.', schema: HostPage },
  errors: [],
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
});

export const actOnHost = defineOperation({
  id: 'actOnHost',
  method: 'POST',
  path: '/api/v1/hosts/{id}/actions/{action}',
  tag,
  summary: 'Cordon, uncordon, drain or fence a host',
  description:
    'A drain with `{"mode": "stop"}` stops the VMs and creates them again on other hosts where their image allows. ' +
    '`drain` of the host shows the progress and names the VMs that cannot leave. `uncordon` ends the drain.',
  access: 'platform',
  params: hostParams.extend({ action: HostAction }),
  body: HostActionOptions,
  bodyIsOptional: true,
  answers: {
    200: { description: 'The host as it is now.', schema: Host, headers: ['ETag', 'Idempotency-Replayed'] },
  },
  errors: ['not_found', 'invalid_state', 'capability_unsupported'],
});

export const removeHost = defineOperation({
  id: 'removeHost',
  method: 'DELETE',
  path: '/api/v1/hosts/{id}',
  tag,
  summary: 'Remove a host that has no VMs',
  description:
    'Drain the host first. It can register again only with a join token or a line in the list of approved hosts.',
  access: 'platform',
  params: hostParams,
  answers: { 204: { description: 'The host is removed.' } },
  errors: ['not_found', 'invalid_state'],
});

export const inviteHost = defineOperation({
  id: 'inviteHost',
  method: 'POST',
  path: '/api/v1/hosts/invites',
  tag,
  summary: 'Create a join token for one host, valid for an hour',
  access: 'platform',
  body: InviteHost,
  answers: {
    201: {
      description: 'The join token, which is shown once, and the host that it approves.',
      schema: HostInvite,
      headers: ['Idempotency-Replayed'],
    },
  },
  errors: [],
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
});
