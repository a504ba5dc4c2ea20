/**
 * The orchestrator's tables. Tenant-owned ones lead their primary key with the tenant, so that a sharded
 * Postgres can take the schema as it is. `cpu` counts virtual CPUs, `memory` MiB, `disk` GiB.
 */
export const TABLES = [
  `CREATE TABLE control_plane (
     one boolean PRIMARY KEY DEFAULT true CHECK (one),
     -- Raised when the database is restored or promoted: agents refuse commands of an older generation.
     generation bigint NOT NULL DEFAULT 1
   )`,
  `INSERT INTO control_plane DEFAULT VALUES`,

  `CREATE TABLE zones (name text PRIMARY KEY, is_default boolean NOT NULL DEFAULT false)`,
  `INSERT INTO zones (name, is_default) VALUES ('sim', true), ('local', false)`,

  `CREATE TABLE images (
     name text PRIMARY KEY,
     description text NOT NULL DEFAULT '',
     min_memory integer NOT NULL DEFAULT 64,
     min_disk integer NOT NULL DEFAULT 1
   )`,

  `CREATE TABLE hosts (
     id uuid PRIMARY KEY,
     name text NOT NULL UNIQUE,
     zone text NOT NULL REFERENCES zones(name),
     driver text NOT NULL,
     state text NOT NULL,
     schedulable boolean NOT NULL DEFAULT true,
     capabilities text[] NOT NULL,
     images text[] NOT NULL,
     cpu double precision NOT NULL,
     memory double precision NOT NULL,
     disk double precision NOT NULL,
     allocated_cpu double precision NOT NULL DEFAULT 0,
     allocated_memory double precision NOT NULL DEFAULT 0,
     allocated_disk double precision NOT NULL DEFAULT 0,
     vm_count integer NOT NULL DEFAULT 0,
     labels jsonb NOT NULL DEFAULT '{}',
     conditions jsonb NOT NULL DEFAULT '[]',
     -- Issued at each registration; facts and commands of another one are refused.
     epoch bigint NOT NULL DEFAULT 0,
     version bigint NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL,
     updated_at timestamptz NOT NULL
   ) WITH (fillfactor = 50)`,

  `CREATE TABLE quotas (
     tenant_id uuid PRIMARY KEY,
     limit_vms bigint NOT NULL, limit_cpu bigint NOT NULL, limit_memory bigint NOT NULL, limit_disk bigint NOT NULL,
     used_vms bigint NOT NULL DEFAULT 0, used_cpu bigint NOT NULL DEFAULT 0,
     used_memory bigint NOT NULL DEFAULT 0, used_disk bigint NOT NULL DEFAULT 0
   ) WITH (fillfactor = 50)`,

  `CREATE TABLE vms (
     tenant_id uuid NOT NULL,
     id uuid NOT NULL,
     name text NOT NULL,
     state text NOT NULL,
     desired_state text NOT NULL,
     cpu integer NOT NULL, memory integer NOT NULL, disk integer NOT NULL, image text NOT NULL,
     zone text NOT NULL,
     host_id uuid,
     tags jsonb NOT NULL,
     user_data text,
     ssh_keys jsonb NOT NULL,
     autostart boolean NOT NULL,
     -- {jobId, kind, step, stepIndex, stepCount, deadline} of the live job.
     task jsonb,
     conditions jsonb NOT NULL DEFAULT '[]',
     stop_reason text,
     last_error jsonb,
     generation integer NOT NULL DEFAULT 1,
     observed_generation integer NOT NULL DEFAULT 0,
     incarnation integer NOT NULL DEFAULT 0,
     -- Grows with every claim of a job for this VM; goes with each command.
     fence bigint NOT NULL,
     quota_held boolean NOT NULL,
     -- The newest fact of the host that was applied: older ones are dropped.
     fact_epoch bigint NOT NULL DEFAULT 0,
     fact_seq bigint NOT NULL DEFAULT 0,
     version bigint NOT NULL,
     created_at timestamptz NOT NULL,
     updated_at timestamptz NOT NULL,
     deleted_at timestamptz,
     PRIMARY KEY (tenant_id, id)
   ) WITH (fillfactor = 70)`,
  // Workers, resync and metrics know a VM by its id alone.
  `CREATE UNIQUE INDEX vms_by_id ON vms (id)`,
  `CREATE UNIQUE INDEX vms_by_name ON vms (tenant_id, name) WHERE state <> 'deleted'`,
  `CREATE INDEX vms_by_host ON vms (host_id) WHERE host_id IS NOT NULL AND state <> 'deleted'`,
  `CREATE INDEX vms_by_state ON vms (tenant_id, state, created_at DESC) WHERE state <> 'deleted'`,
  `CREATE INDEX vms_by_created ON vms (tenant_id, created_at DESC, id DESC) WHERE state <> 'deleted'`,
  `CREATE INDEX vms_by_updated ON vms (tenant_id, updated_at DESC, id DESC) WHERE state <> 'deleted'`,
  // Few or none: hosts that have some are asked about them sooner.
  `CREATE INDEX vms_unknown ON vms (host_id) WHERE state = 'unknown'`,
  `CREATE INDEX vms_deleted ON vms (deleted_at) WHERE state = 'deleted'`,

  `CREATE TABLE jobs (
     tenant_id uuid NOT NULL,
     id uuid NOT NULL,
     vm_id uuid NOT NULL,
     kind text NOT NULL,
     status text NOT NULL,
     step text NOT NULL,
     step_index integer NOT NULL,
     step_count integer NOT NULL,
     attempt integer NOT NULL DEFAULT 0,
     -- Undoing after a failure: the steps run backwards from here.
     undoing boolean NOT NULL DEFAULT false,
     -- When a worker should take it. A claim moves it to the end of the lease, so that a crash needs no sweeper.
     due_at timestamptz NOT NULL,
     lease_owner uuid,
     fence bigint NOT NULL DEFAULT 0,
     deadline timestamptz NOT NULL,
     args jsonb NOT NULL,
     error jsonb,
     history jsonb NOT NULL DEFAULT '[]',
     version bigint NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL,
     updated_at timestamptz NOT NULL,
     PRIMARY KEY (tenant_id, id)
   ) WITH (fillfactor = 70)`,
  `CREATE UNIQUE INDEX jobs_by_id ON jobs (id)`,
  `CREATE INDEX jobs_due ON jobs (due_at) WHERE status IN ('queued', 'running', 'waiting')`,
  // At most one live job for each VM.
  `CREATE UNIQUE INDEX jobs_live ON jobs (vm_id) WHERE status IN ('queued', 'running', 'waiting')`,
  `CREATE INDEX jobs_by_created ON jobs (tenant_id, created_at DESC, id DESC)`,
  `CREATE INDEX jobs_by_vm ON jobs (tenant_id, vm_id, created_at DESC)`,

  `CREATE TABLE placements (
     tenant_id uuid NOT NULL,
     vm_id uuid NOT NULL,
     host_id uuid,
     decided_at timestamptz NOT NULL,
     explanation jsonb NOT NULL,
     PRIMARY KEY (tenant_id, vm_id)
   )`,

  `CREATE TABLE idempotency (
     tenant_id uuid NOT NULL,
     principal text NOT NULL,
     route text NOT NULL,
     key text NOT NULL,
     body_hash text NOT NULL,
     answer jsonb NOT NULL,
     created_at timestamptz NOT NULL,
     PRIMARY KEY (tenant_id, principal, route, key)
   )`,
  `CREATE INDEX idempotency_by_age ON idempotency (created_at)`,

  // VMs that an unreachable host has still to remove; then their capacity is released.
  `CREATE TABLE cleanups (
     host_id uuid NOT NULL REFERENCES hosts(id),
     vm_id uuid NOT NULL,
     tenant_id uuid NOT NULL,
     fence bigint NOT NULL,
     cpu integer NOT NULL, memory integer NOT NULL, disk integer NOT NULL,
     created_at timestamptz NOT NULL,
     PRIMARY KEY (host_id, vm_id)
   )`,

  // Guests that the database does not know on their host: reported, never destroyed.
  `CREATE TABLE quarantine (
     host_id uuid NOT NULL REFERENCES hosts(id),
     vm_id uuid NOT NULL,
     power text NOT NULL,
     first_seen_at timestamptz NOT NULL,
     last_seen_at timestamptz NOT NULL,
     PRIMARY KEY (host_id, vm_id)
   )`,

  // Apart from hosts, whose rows every placement updates: a heartbeat must not wait for a burst of creates.
  `CREATE TABLE heartbeats (
     host_id uuid PRIMARY KEY REFERENCES hosts(id),
     at timestamptz NOT NULL
   ) WITH (fillfactor = 50)`,

  // The newest complete inventory applied: every older fact of the host is out of date. The row's lock puts
  // the facts of one host in order.
  `CREATE TABLE inventories (
     host_id uuid PRIMARY KEY REFERENCES hosts(id),
     epoch bigint NOT NULL DEFAULT 0,
     seq bigint NOT NULL DEFAULT 0,
     -- When the host should next be asked; asking moves it, so that one orchestrator asks.
     next_at timestamptz NOT NULL
   ) WITH (fillfactor = 50)`,

  // Parts of inventories that do not fit one message, until the last has arrived, at any orchestrator.
  `CREATE TABLE inventory_parts (
     host_id uuid NOT NULL REFERENCES hosts(id),
     epoch bigint NOT NULL,
     seq bigint NOT NULL,
     part integer NOT NULL,
     vm_ids uuid[] NOT NULL,
     PRIMARY KEY (host_id, epoch, seq, part)
   )`,
];

/** Tables under row-level security: the `_api` role sees its tenant's rows only. */
export const TENANT_TABLES = ['quotas', 'vms', 'jobs', 'placements', 'idempotency'];
/** Readable by a tenant's request as they are. */
export const SHARED_TABLES = ['control_plane', 'zones', 'images', 'hosts', 'heartbeats'];
/** Of workers alone. */
export const SYSTEM_TABLES = ['cleanups', 'quarantine', 'inventories', 'inventory_parts'];
