export interface PostgresSettings {
  readonly port: number;
  /** false only for test clusters whose data may be lost with the machine */
  readonly durable: boolean;
  readonly maxConnections: number;
  /** directory for unix sockets; undefined: TCP alone */
  readonly socketDirectory?: string;
  /** set on a replica: where it streams from */
  readonly upstream?: {
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly slot: string;
  };
}

const memoryAndWal = {
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '4MB',
  maintenance_work_mem: '64MB',
  wal_buffers: '16MB',
  checkpoint_completion_target: '0.9',
  max_wal_size: '1GB',
  min_wal_size: '80MB',
};

const replication = {
  wal_level: 'replica',
  max_wal_senders: '10',
  max_replication_slots: '10',
  hot_standby: 'on',
  hot_standby_feedback: 'on',
  // A replica that is gone for good must not fill the disk of the primary.
  max_slot_wal_keep_size: '4GB',
  // A query that a dropped partition is in conflict with may hold replay up this long, not for 30 s.
  max_standby_streaming_delay: '2s',
  wal_retrieve_retry_interval: '500ms',
};

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** The whole postgresql.conf: the guide's small profile, statistics of statements, streaming replication. */
export function postgresConf(settings: PostgresSettings): string {
  const { upstream } = settings;
  const values: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(settings.port),
    unix_socket_directories: settings.socketDirectory ?? '',
    max_connections: String(settings.maxConnections),
    password_encryption: 'scram-sha-256',
    ...memoryAndWal,
    ...replication,
    synchronous_commit: 'on',
    shared_preload_libraries: 'pg_stat_statements',
    'pg_stat_statements.track': 'all',
    jit: 'off',
    // Tables grow from nothing to thousands of rows within a minute: statistics have to keep up.
    autovacuum_naptime: '5s',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] %u@%d ',
    log_min_duration_statement: '5s',
    ...(settings.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...(upstream
      ? {
          primary_conninfo: `host=127.0.0.1 port=${upstream.port} user=${upstream.user} password=${upstream.password} application_name=${upstream.slot}`,
          primary_slot_name: upstream.slot,
        }
      : {}),
  };
  return Object.entries(values)
    .map(([name, value]) => `${name} = ${quoted(value)}\n`)
    .join('');
}

/** Loopback alone, passwords always. */
export const hostBasedAccess = `host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
local all all scram-sha-256
`;
