import { runAll } from '@novacron/postgres/migrate';
import { grants } from '@novacron/postgres/tenancy';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * VMs as JSON text, built in the database. Services build it themselves now, which is cheaper (vms/row-text.ts). Both
 * functions and the table stay for older instances, which may run beside new ones during an update; a later
 * migration drops them.
 */
export class VmJson1764003600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runAll(
      runner,
      [
        // The gates' answers, written at each start from packages/vm-lifecycle: '' stands for no task.
        `CREATE TABLE allowed_actions (
           state text NOT NULL, task text NOT NULL, placed boolean NOT NULL, actions json NOT NULL,
           PRIMARY KEY (state, task, placed)
         )`,
        `CREATE FUNCTION utc_text(at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
           $$ SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$`,
        `CREATE FUNCTION vm_json(v vms) RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
           SELECT json_build_object(
             'id', v.id, 'tenantId', v.tenant_id, 'name', v.name, 'state', v.state,
             'desiredState', v.desired_state,
             'config', json_build_object('cpu', v.cpu, 'memory', v.memory, 'disk', v.disk, 'image', v.image),
             'zone', v.zone, 'hostId', v.host_id, 'tags', v.tags, 'task', v.task, 'conditions', v.conditions,
             'stopReason', v.stop_reason, 'lastError', v.last_error, 'generation', v.generation,
             'observedGeneration', v.observed_generation, 'incarnation', v.incarnation, 'version', v.version,
             'allowedActions', coalesce(
               (SELECT a.actions FROM allowed_actions a WHERE a.state = v.state
                 AND a.task = coalesce(v.task->>'kind', '') AND a.placed = (v.host_id IS NOT NULL)), '[]'::json),
             'createdAt', utc_text(v.created_at), 'updatedAt', utc_text(v.updated_at)) $$`,
      ],
      grants('orchestrator', 'allowed_actions', { api: 'SELECT' }),
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runAll(runner, [
      'DROP FUNCTION vm_json(vms)',
      'DROP FUNCTION utc_text(timestamptz)',
      'DROP TABLE allowed_actions',
    ]);
  }
}
