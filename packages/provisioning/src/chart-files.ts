import { hostUser, natsServices, type NatsUser, serviceUser } from './nats-permissions.js';

/** Placeholder for a host's id in the permissions of a host. */
const HOST_ID = 'HOST_ID';

/** Permissions in the format of nats-server's configuration, of which JSON is a subset. */
function permissions({ publish, subscribe, answers }: NatsUser): object {
  return { publish, subscribe, ...(answers ? { allow_responses: { max: 1, expires: '1m' } } : {}) };
}

/** `nats-permissions.json` of the Helm chart: the permissions of each service and of a host. */
export function natsPermissionsFile(): string {
  const services = natsServices.map((name) => [name, permissions(serviceUser(name, ''))]);
  const file = { services: Object.fromEntries(services) as object, host: permissions(hostUser(HOST_ID, '')) };
  return `${JSON.stringify(file, null, 2)}\n`;
}
