import type { Condition, Tags } from '@novacron/contracts/common';
import type { HostId, JobId, TenantId, VmId } from '@novacron/contracts/ids';
import type { RestartPolicy, Vm } from '@novacron/contracts/vms';
import type { GateView, VmAction } from '@novacron/vm-lifecycle/actions';
import type { VmState } from '@novacron/vm-lifecycle/states';
import { offeredActions } from './allowed-actions.js';

/** The policy of a VM that has none. */
export const NO_RESTART: RestartPolicy = { mode: 'never', maxAttempts: 5, backoff: 10 };

export type DesiredState = Vm['desiredState'];
/** `cold-migrate` moves a stopped VM off a host that is drained: an operator's job, which is not an action. */
export type JobKind = 'create' | 'cold-migrate' | VmAction;

/** The live job as a column of the VM. Times are RFC 3339. */
export interface TaskColumn {
  jobId: JobId;
  kind: JobKind;
  step: string;
  stepIndex: number;
  stepCount: number;
  deadline: string;
}

/** A row of `vms`, with the driver's types: timestamps are Dates, bigints numbers (all below 2^53). */
export interface VmRow {
  tenant_id: TenantId;
  id: VmId;
  name: string;
  state: VmState;
  desired_state: DesiredState;
  cpu: number;
  memory: number;
  disk: number;
  image: string;
  zone: string;
  host_id: HostId | null;
  tags: Tags;
  user_data: string | null;
  ssh_keys: string[];
  autostart: boolean;
  task: TaskColumn | null;
  conditions: Condition[];
  stop_reason: string | null;
  last_error: Vm['lastError'];
  generation: number;
  observed_generation: number;
  incarnation: number;
  fence: number;
  quota_held: boolean;
  fact_epoch: number;
  fact_seq: number;
  version: number;
  created_at: Date;
  updated_at: Date;
  deleted_at: Date | null;
  /** Null: never restarted. */
  restart_policy: RestartPolicy | null;
  /** Restarts since its guest last ran for long; null: none. */
  restarts: number | null;
  /** When the next restart is due. */
  restart_at: Date | null;
  /** When the last restart was. */
  restarted_at: Date | null;
}

/** The part of a VM that the gates judge. */
export function gateView(row: VmRow): GateView {
  return { state: row.state, task: row.task?.kind ?? null, placed: row.host_id !== null };
}

/** The row as the API shows it. Lists build the same as text: `vmText` in row-text.ts. */
export function toVm(row: VmRow): Vm {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    state: row.state,
    desiredState: row.desired_state,
    config: { cpu: row.cpu, memory: row.memory, disk: row.disk, image: row.image },
    zone: row.zone,
    hostId: row.host_id,
    tags: row.tags,
    task: row.task,
    conditions: row.conditions,
    stopReason: row.stop_reason,
    lastError: row.last_error,
    generation: row.generation,
    observedGeneration: row.observed_generation,
    incarnation: row.incarnation,
    restartPolicy: row.restart_policy ?? NO_RESTART,
    version: row.version,
    allowedActions: offeredActions(gateView(row)),
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
