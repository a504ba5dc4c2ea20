import type { VmState } from '@novacron/vm-lifecycle/states';
import { offeredActions } from './allowed-actions.js';
import { NO_RESTART } from './row.js';
import type { TaskColumn } from './row.js';

/** The columns that {@link vmText} takes, in its order. */
export const VM_COLUMNS = `id, tenant_id, name, state, desired_state, cpu, memory, disk, image, zone, host_id,
  tags, task, conditions, stop_reason, last_error, generation, observed_generation, incarnation, version,
  created_at, updated_at, restart_policy`;

/** The columns as Postgres writes them. */
export type VmFields = readonly [
  id: string,
  tenantId: string,
  name: string,
  state: VmState,
  desiredState: string,
  cpu: string,
  memory: string,
  disk: string,
  image: string,
  zone: string,
  hostId: string | null,
  tags: string,
  task: string | null,
  conditions: string,
  stopReason: string | null,
  lastError: string | null,
  generation: string,
  observedGeneration: string,
  incarnation: string,
  version: string,
  createdAt: string,
  updatedAt: string,
  restartPolicy: string | null,
];

const NO_RESTART_TEXT = JSON.stringify(NO_RESTART);
const actions = new Map<string, string>();

/**
 * The VM as JSON, made from the text of its columns: the result of `toVm` in row.ts and JSON.stringify without the
 * objects in between. A test compares both.
 */
export function vmText(vm: VmFields): string {
  const [
    id,
    tenantId,
    name,
    state,
    desiredState,
    cpu,
    memory,
    disk,
    image,
    zone,
    hostId,
    tags,
    task,
    ...rest
  ] = vm;
  const [
    conditions,
    stopReason,
    lastError,
    generation,
    observed,
    incarnation,
    version,
    created,
    updated,
    policy,
  ] = rest;
  return (
    `{"id":"${id}","tenantId":"${tenantId}","name":${quoted(name)},"state":"${state}"` +
    `,"desiredState":"${desiredState}","config":{"cpu":${cpu},"memory":${memory},"disk":${disk}` +
    `,"image":${quoted(image)}},"zone":${quoted(zone)},"hostId":${hostId === null ? 'null' : `"${hostId}"`}` +
    `,"tags":${tags},"task":${task},"conditions":${conditions},"stopReason":${quoted(stopReason)}` +
    `,"lastError":${lastError},"generation":${generation},"observedGeneration":${observed}` +
    `,"incarnation":${incarnation},"restartPolicy":${policy ?? NO_RESTART_TEXT},"version":${version},"allowedActions":${actionsText(state, task, hostId)}` +
    `,"createdAt":"${timeText(created)}","updatedAt":"${timeText(updated)}"}`
  );
}

/** RFC 3339 with milliseconds, of Postgres' `2026-11-23 16:30:00[.123456]+00`. */
export function timeText(at: string): string {
  const fraction = at.endsWith('+00') ? at.slice(20, -3) : '';
  return `${at.slice(0, 10)}T${at.slice(11, 19)}.${fraction.slice(0, 3).padEnd(3, '0')}Z`;
}

function quoted(text: string | null): string {
  return text === null ? 'null' : JSON.stringify(text);
}

/** The texts are remembered: there are some hundred combinations, of which few occur. */
function actionsText(state: VmState, task: string | null, hostId: string | null): string {
  const kind = task === null ? null : (JSON.parse(task) as TaskColumn).kind;
  const key = `${state} ${kind} ${hostId === null}`;
  let text = actions.get(key);
  if (text === undefined) {
    text = JSON.stringify(offeredActions({ state, task: kind, placed: hostId !== null }));
    actions.set(key, text);
  }
  return text;
}
