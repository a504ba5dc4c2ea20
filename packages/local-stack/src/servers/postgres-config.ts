import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../config.js';

export interface PostgresSettings {
  readonly port: number;
  /** false for test clusters, whose data may be lost when the machine crashes */
  readonly durable: boolean;
  /** overrides the profile's value */
  readonly maxConnections?: number;
  /** directory for unix sockets; TCP only when undefined */
  readonly socketDirectory?: string;
  /** set on a replica: its primary */
  readonly upstream?: {
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly slot: string;
  };
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** The settings of every NovaCron database. Compose and the chart use the same file. */
export const smallProfile = join(repositoryRoot, 'infra', 'postgres', 'small.conf');

/** The whole postgresql.conf: the small profile and this server's own settings. */
export function postgresConf(settings: PostgresSettings): string {
  const { upstream, maxConnections } = settings;
  const values: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(settings.port),
    unix_socket_directories: settings.socketDirectory ?? '',
    ...(maxConnections === undefined ? {} : { max_connections: String(maxConnections) }),
    ...(settings.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...(upstream
      ? {
          primary_conninfo: `host=127.0.0.1 port=${upstream.port} user=${upstream.user} password=${upstream.password} application_name=${upstream.slot}`,
          primary_slot_name: upstream.slot,
        }
      : {}),
  };
  const own = Object.entries(values).map(([name, value]) => `${name} = ${quoted(value)}\n`);
  return `${readFileSync(smallProfile, 'utf8')}\n# Of this server.\n${own.join('')}`;
}

/** Accepts only loopback connections, and always asks for a password. */
export const hostBasedAccess = `host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
local all all scram-sha-256
`;
