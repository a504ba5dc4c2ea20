import type { Command, CommandReply, PowerState } from '@novacron/contracts/agents';
import { ServiceError } from '@novacron/contracts/errors';
import { newId, type HostId, type TenantId, type VmId } from '@novacron/contracts/ids';
import { gate, type VmAction } from '@novacron/vm-lifecycle/actions';
import { canTransition } from '@novacron/vm-lifecycle/states';
import { advance, type Ended } from '../../src/jobs/advance.js';
import { cancelled } from '../../src/admission/cancel-job.js';
import type { CommandBody, HostAnswer } from '../../src/hosts/commands.js';
import type { LeasedJob, Operation } from '../../src/jobs/operation.js';
import type { PlacementDecision } from '../../src/placement/place.js';
import { LIVE, type JobRow } from '../../src/jobs/row.js';
import { runStep } from '../../src/jobs/run-step.js';
import { migration } from '../../src/drain/migration.js';
import { create } from '../../src/operations/create.js';
import { operationOf } from '../../src/operations/registry.js';
import { judge } from '../../src/resync/judge.js';
import type { VmPatch } from '../../src/vms/change.js';
import { intend } from '../../src/admission/intent.js';
import { newJob } from '../../src/jobs/new-job.js';
import { startsElsewhere } from '../../src/placement/rebuild.js';
import { gateView, type VmRow } from '../../src/vms/row.js';

/** An event at any moment. `report`: a fact of the host, which arrives late. `crash`: the worker dies. */
export type Asked = VmAction | 'cancel' | 'report' | 'crash';

export interface Behaviour {
  /** The guest powers off when its button is pressed. */
  readonly obeys: boolean;
  /** Commands of this kind fail for good. */
  readonly fails?: Command['kind'];
}

/** An accepted action with the job that answered it; null: the VM was in that state already. */
export interface Accepted {
  readonly asked: Asked | 'cold-migrate';
  readonly job: string | null;
}

const EPOCH = 1;
const HOSTS = [newId<HostId>(), newId<HostId>()] as const;

/**
 * One VM, its jobs, two hosts and a worker, in memory and in virtual time. The decisions are the product's: the
 * gates, `intend`, `cancelled`, `runStep`, `advance` and `judge`; only the tables and the messages are the model's.
 */
export class World {
  vm: VmRow;
  readonly jobs = new Map<string, JobRow>();
  readonly accepted: Accepted[] = [];
  /** The VM's power by host. A clean-up counts as done: the fence keeps the agent from making the VM anew. */
  readonly #powers = new Map<HostId, PowerState>();
  /** A host that gets no new VMs: it is drained, or fenced. */
  #closed: HostId | null = null;
  #fenced = false;
  now = Date.UTC(2026, 0, 1);
  #seq = 0;
  readonly #fences = new Map<HostId, number>();
  readonly #remembered = new Map<string, CommandReply>();
  #reports: { host: HostId; power: PowerState; seq: number }[] = [];

  constructor(
    public behaviour: Behaviour,
    autostart = true,
  ) {
    const row = newRow(new Date(this.now), autostart);
    const { vm, job } = newJob(row, create, {}, 'worker', new Date(this.now));
    this.vm = vm;
    this.jobs.set(job.id, job);
    this.accepted.push({ asked: autostart ? 'start' : 'stop', job: job.id });
  }

  get live(): JobRow | undefined {
    return [...this.jobs.values()].find((job) => LIVE.includes(job.status));
  }

  /** The power on the VM's host; of a VM without a host, on any host that still has it. */
  get power(): PowerState {
    const { host_id: host } = this.vm;
    if (host !== null) return this.#powers.get(host) ?? 'absent';
    return [...this.#powers.values()].find((power) => power !== 'absent') ?? 'absent';
  }

  /** Whether another host than the VM's has a copy of it. */
  get isTwice(): boolean {
    return [...this.#powers].some(
      ([host, power]) => this.vm.host_id !== null && host !== this.vm.host_id && power !== 'absent',
    );
  }

  /** Begins to take the VM off its host, as a drain does. */
  drain(): void {
    this.#closed = this.vm.host_id;
    const options = { graceSeconds: 1, rebuildable: true };
    const { patch, job } = migration(this.vm, options, new Date(this.now));
    this.#change(patch);
    this.jobs.set(job.id, job);
    this.accepted.push({ asked: 'cold-migrate', job: job.id });
  }

  /** Fences the VM's host, which is off. */
  fence(): void {
    const host = this.vm.host_id as HostId;
    this.#closed = host;
    this.#fenced = true;
    this.#powers.set(host, 'stopped');
    this.#change({ state: 'stopped', stop_reason: 'host_lost' });
  }

  #isFenced({ host_id: host }: Pick<VmRow, 'host_id'>): boolean {
    return this.#fenced && host !== null && host === this.#closed;
  }

  /** Asks for an action, as `VmActor`, `JobCanceller` and `Reports` do in their transactions. False: it was refused. */
  ask(asked: Asked, owner: string | null): boolean {
    try {
      const job = this.#ask(asked, owner);
      if (asked !== 'report') this.accepted.push({ asked, job });
      return true;
    } catch (error) {
      if (error instanceof ServiceError) return false;
      throw error;
    }
  }

  /** The job that was committed with a lease of its process, which begins at once. */
  createdLeased(): LeasedJob | null {
    const job = this.live;
    return job?.lease_owner === 'worker' ? { vm: this.vm, job } : null;
  }

  /** Leases the live job, as `leaseDue` does, when its time has come. */
  lease(): LeasedJob | null {
    const job = this.live;
    if (!job) return null;
    this.vm = { ...this.vm, fence: this.vm.fence + 1 };
    const leased: JobRow = { ...job, status: 'running', lease_owner: 'worker', fence: this.vm.fence };
    this.jobs.set(job.id, leased);
    return { vm: this.vm, job: leased };
  }

  /** Runs the step that a leased job stands at. */
  run(leased: LeasedJob): Promise<Ended> {
    return runStep(leased, {
      operations: { operationOf: (kind) => operationOf(kind) as Operation },
      commands: { send: (_leased, body) => this.#command(leased, body) },
      placer: {
        place: ({ id }) => Promise.resolve(placed(id, HOSTS.find((host) => host !== this.#closed) as HostId)),
        isFenced: (vm) => this.#isFenced(vm),
      },
      logger: { error: (said: object) => void Object.assign(this, { broken: said }) } as never,
      now: () => new Date(this.now),
    });
  }

  /** Ends a step, as `commitSteps` does. @returns the job to go on with; null: its lease was lost, it ended or it waits */
  commit(ended: Ended): LeasedJob | null {
    const job = this.jobs.get(ended.leased.job.id);
    const { lease_owner, fence } = ended.leased.job;
    if (job?.status !== 'running' || job.lease_owner !== lease_owner || job.fence !== fence) return null;
    const next = advance(ended, this.vm, job, new Date(this.now));
    const effect = ended.result.host?.effect;
    if (this.vm.host_id !== null && (effect === 'move' || effect === 'leave-cleanup'))
      this.#powers.set(this.vm.host_id, 'absent');
    if (Object.keys(next.patch).length > 0) this.#change(next.patch);
    this.jobs.set(job.id, next.job);
    if (next.job.status === 'waiting') this.now += Math.max(1, next.dueInMs ?? 0);
    return next.job.status === 'running' ? { vm: this.vm, job: next.job } : null;
  }

  /** The lease of a worker that died is over. */
  expire({ job }: LeasedJob): void {
    const now = this.jobs.get(job.id);
    if (now?.status === 'running') this.jobs.set(job.id, { ...now, lease_owner: null, status: 'waiting' });
  }

  /** Delivers the reports of hosts that are under way. */
  deliverReports(): void {
    const arrived = this.#reports;
    this.#reports = [];
    for (const { host, power, seq } of arrived)
      if (host === this.vm.host_id && !this.#isFenced(this.vm)) this.#judge(power, seq);
  }

  #judge(power: PowerState, seq: number): void {
    if (this.vm.state === 'deleted' || this.vm.state === 'deleting') return;
    const fact = { vmId: this.vm.id, power, incarnation: this.vm.incarnation, reason: null };
    const verdict = judge(this.vm, fact, { epoch: EPOCH, seq }, new Date(this.now));
    if ('patch' in verdict && verdict.patch) this.#change(verdict.patch);
  }

  #ask(asked: Asked, owner: string | null): string | null {
    const now = new Date(this.now);
    if (asked === 'crash') return null;
    if (asked === 'report') {
      const { host_id: host } = this.vm;
      if (host !== null) this.#reports.push({ host, power: this.power, seq: ++this.#seq });
      return null;
    }
    if (asked === 'cancel') {
      const live = this.live;
      if (!live) throw new ServiceError('job_not_cancellable', 'there is no job');
      const { job, patch } = cancelled(this.vm, live, now);
      if (job !== live) this.#change(patch);
      this.jobs.set(job.id, job);
      return job.id;
    }
    const decision = gate(asked, gateView(this.vm));
    if (decision.outcome === 'busy') throw new ServiceError('vm_busy', asked);
    if (decision.outcome === 'invalid_state') throw new ServiceError('invalid_state', asked);
    const { live } = this;
    const rebuild = startsElsewhere(asked, this.vm, this.#isFenced(this.vm));
    const how = { action: asked, options: { graceSeconds: 1 }, rebuild };
    const intent = intend(decision, this.vm, how, owner, now);
    if (intent.supersedes && live) {
      const error = { code: 'superseded', detail: asked };
      this.jobs.set(live.id, { ...live, status: 'cancelled', lease_owner: null, error });
    }
    if (intent.patch) this.#change(intent.patch);
    if (intent.job === null) return null;
    if (intent.job === 'live') return live?.id ?? null;
    this.jobs.set(intent.job.id, intent.job);
    return intent.job.id;
  }

  #change(patch: VmPatch): void {
    const next = { ...this.vm, ...patch, version: this.vm.version + 1 };
    if (next.state !== this.vm.state && !canTransition(this.vm.state, next.state))
      throw new Error(`the lifecycle has no way from ${this.vm.state} to ${next.state}`);
    this.vm = next;
  }

  async #command(leased: LeasedJob, body: CommandBody): Promise<HostAnswer> {
    const { host_id: host } = leased.vm;
    if (host === null) return { outcome: 'unreachable', detail: 'the VM has no host' };
    if (this.#isFenced(leased.vm)) return { outcome: 'host_fenced', detail: 'the host is fenced' };
    const stamp = { epoch: EPOCH, seq: ++this.#seq };
    if (leased.job.fence < (this.#fences.get(host) ?? 0))
      return { outcome: 'fenced', ...stamp, detail: 'an older fence' };
    this.#fences.set(host, leased.job.fence);
    const id = `${leased.job.id}:${leased.job.undoing ? 'undo-' : ''}${leased.job.step}`;
    const known = this.#remembered.get(id);
    if (known && body.kind !== 'observe') return known;
    const failed = (code: 'driver_error' | 'not_found' | 'invalid_state', detail: string) =>
      ({ outcome: 'failed', ...stamp, code, detail, retryable: false }) as const;
    const before = this.#powers.get(host) ?? 'absent';
    if (body.kind === this.behaviour.fails) return failed('driver_error', 'ordered to fail');
    const after = powerAfter(body.kind, before, this.behaviour.obeys);
    if (after === 'refused') return failed('invalid_state', `${body.kind} of a guest that is ${before}`);
    this.#powers.set(host, after);
    const fact = { vmId: leased.vm.id, power: after, incarnation: 1, reason: null };
    const reply = { outcome: 'done', ...stamp, fact } as const;
    this.#remembered.set(id, reply);
    return reply;
  }
}

/** The effect of a command, as of the simulated driver, without the time that it takes. */
function powerAfter(kind: Command['kind'], power: PowerState, obeys: boolean): PowerState | 'refused' {
  switch (kind) {
    case 'create':
      return power === 'absent' ? 'stopped' : power;
    case 'start':
      return power === 'absent' || power === 'paused' ? 'refused' : 'running';
    case 'shutdown':
      return power === 'running' ? (obeys ? 'stopped' : 'running') : power === 'stopped' ? power : 'refused';
    case 'force-stop':
      return power === 'absent' ? power : 'stopped';
    case 'reboot':
      return power === 'running' ? power : 'refused';
    case 'reset':
      return power === 'running' || power === 'paused' ? 'running' : 'refused';
    case 'pause':
      return power === 'running' || power === 'paused' ? 'paused' : 'refused';
    case 'resume':
      return power === 'running' || power === 'paused' ? 'running' : 'refused';
    case 'delete':
      return 'absent';
    default:
      return power;
  }
}

function placed(vmId: VmId, hostId: HostId): PlacementDecision {
  const explanation = {
    vmId,
    hostId,
    decidedAt: '',
    candidates: 1,
    rejections: [],
    scores: [],
    summary: '',
  };
  return { hostId, fits: 'now', explanation };
}

function newRow(now: Date, autostart: boolean): VmRow {
  return {
    tenant_id: newId<TenantId>(),
    id: newId<VmId>(),
    name: 'modelled',
    state: 'pending',
    desired_state: autostart ? 'running' : 'stopped',
    cpu: 1,
    memory: 64,
    disk: 1,
    image: 'ubuntu-22.04',
    zone: 'sim',
    host_id: null,
    tags: {},
    user_data: null,
    ssh_keys: [],
    autostart,
    task: null,
    conditions: [],
    stop_reason: null,
    last_error: null,
    generation: 1,
    observed_generation: 0,
    incarnation: 0,
    fence: 1,
    quota_held: true,
    fact_epoch: 0,
    fact_seq: 0,
    version: 1,
    created_at: now,
    updated_at: now,
    deleted_at: null,
    restart_policy: null,
    restarts: null,
    restart_at: null,
    restarted_at: null,
  };
}
