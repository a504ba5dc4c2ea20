import { hostUser, natsServices, type NatsUser, serviceUser } from './nats-permissions.js';

/** Stands where a host's id goes in the permissions of a host. */
const HOST_ID = 'HOST_ID';

/** Permissions as nats-server's configuration has them: JSON is a subset of it. */
function permissions({ publish, subscribe, answers }: NatsUser): object {
  return { publish, subscribe, ...(answers ? { allow_responses: { max: 1, expires: '1m' } } : {}) };
}

/** `nats-permissions.json` of the Helm chart: what each service and a host may do, in the words of nats-permissions.ts. */
export function natsPermissionsFile(): string {
  const services = natsServices.map((name) => [name, permissions(serviceUser(name, ''))]);
  const file = { services: Object.fromEntries(services) as object, host: permissions(hostUser(HOST_ID, '')) };
  return `${JSON.stringify(file, null, 2)}\n`;
}
