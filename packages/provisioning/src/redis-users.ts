import { createHash } from 'node:crypto';

/** The services that use Redis; each has a user of its own there. */
export const redisServices = ['gateway', 'cache'] as const;
export type RedisService = (typeof redisServices)[number];

/** Entries, tombstones, leases and generations of the shared cache: `<systemId>.<timeline>:…`. */
const CACHE_KEYS = '~[0-9]*.[0-9]*:*';
/** Commands that connect, and commands that the services' scripts call. Redis checks a script against its caller's rules. */
const COMMON = ['auth', 'hello', 'eval', 'evalsha', 'get', 'set', 'del', 'getrange'];

const keys: Record<RedisService, readonly string[]> = {
  // Rate limits are counted for all gateways at `rate:…`.
  gateway: [CACHE_KEYS, '~rate:*'],
  cache: [CACHE_KEYS],
};
const commands: Record<RedisService, readonly string[]> = {
  // Rate limits use the clock of Redis.
  gateway: [...COMMON, 'time'],
  // Its checker scans the keyspace and reports its size.
  cache: [...COMMON, 'scan', 'dbsize', 'info'],
};

/** The permissions of a service's user as a Redis ACL. Redis 7 and Valkey 8 understand it. */
export function redisRules(service: RedisService): string {
  const allowed = commands[service].map((name) => `+${name}`);
  return ['resetkeys', ...keys[service], 'resetchannels', '-@all', ...allowed].join(' ');
}

export function isRedisService(service: string): service is RedisService {
  return redisServices.some((name) => name === service);
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** A service's own password, a hash of the administrator's. The chart computes it in the same way. */
export function redisPassword(adminPassword: string, service: RedisService): string {
  return sha256(`${adminPassword} ${service}`);
}

/** The lines of `redis.conf` that create the users. They contain the hash of each password, not the password. */
export function redisUserLines(adminPassword: string): string[] {
  return redisServices.map(
    (service) =>
      `user ${service} on #${sha256(redisPassword(adminPassword, service))} ${redisRules(service)}`,
  );
}

/** `redis-users.json` of the Helm chart: the rules of each service. */
export function redisUsersFile(): string {
  const rules = Object.fromEntries(redisServices.map((service) => [service, redisRules(service)]));
  return `${JSON.stringify(rules, null, 2)}\n`;
}
