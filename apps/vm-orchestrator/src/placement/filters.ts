import { blocksPlacement } from '@novacron/contracts/infrastructure';
import { free, type HostView, type Resource } from '../hosts/host-view.js';
import { type PlacementRequest } from './request.js';

/** Refuses hosts. `refuse` returns the reason, for a person, or null. */
export interface Filter {
  readonly name: string;
  refuse(host: HostView, request: PlacementRequest): string | null;
}

const UNIT: Record<Resource, string> = { cpu: 'virtual CPUs', memory: 'MiB of memory', disk: 'GiB of disk' };

function enough(resource: Resource): Filter {
  return {
    name: resource,
    refuse: (host, request) =>
      free(host, resource) >= request[resource]
        ? null
        : `${host.name} has ${Math.max(0, free(host, resource))} of ${host.capacity[resource]} ${UNIT[resource]} free, ${request[resource]} are needed`,
  };
}

/** Whether an empty host could run the VM. */
export const SUITABLE: readonly Filter[] = [
  {
    name: 'image',
    refuse: (host, { image }) => (host.images.includes(image) ? null : `${host.name} has no image ${image}`),
  },
  {
    name: 'capability',
    refuse: (host, { needs }) => {
      const missing = needs.filter((need) => !host.capabilities.includes(need));
      return missing.length === 0 ? null : `${host.name} cannot do ${missing.join(', ')}`;
    },
  },
];

/** Applied in this order to the hosts of the VM's zone; a host counts under the first filter that refuses it. */
export const FILTERS: readonly Filter[] = [
  { name: 'state', refuse: (host) => (host.state === 'up' ? null : `${host.name} is ${host.state}`) },
  { name: 'schedulable', refuse: (host) => (host.schedulable ? null : `${host.name} is cordoned`) },
  {
    name: 'condition',
    refuse: (host) => {
      const condition = host.conditions.find(({ type }) => blocksPlacement(type));
      return condition ? `${host.name} has the condition ${condition.type}` : null;
    },
  },
  ...SUITABLE,
  {
    name: 'cleanup',
    refuse: (host) =>
      host.cleanups === 0 ? null : `${host.name} has ${host.cleanups} deleted VMs to remove first`,
  },
  enough('cpu'),
  enough('memory'),
  enough('disk'),
];
