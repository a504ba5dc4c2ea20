import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { WireRequest, type RpcContract } from '@novacron/contracts/envelope';
import { ServiceError, type ErrorCode } from '@novacron/contracts/errors';
import { eventSubject, watermarkSubject, type Watermark } from '@novacron/contracts/events';
import { invalidationSubjects, type Invalidation } from '@novacron/contracts/invalidation';
import { newId, type JobId, type TenantId, type VmId } from '@novacron/contracts/ids';
import { infrastructureRpc } from '@novacron/contracts/infrastructure';
import { jobsRpc, type Job } from '@novacron/contracts/jobs';
import { parseOrThrow } from '@novacron/contracts/validation';
import { isExpected, vmsRpc, type CreateVm, type IfMatch, type Vm } from '@novacron/contracts/vms';
import { gate, type VmAction } from '@novacron/vm-lifecycle/actions';
import { at, HOST, SOME_HOST } from './some-host.js';

/**
 * Answers the orchestrator's contracts out of memory, over a real NATS, for tests of the gateway's routes:
 * what the orchestrator itself does is its own tests' business.
 */
export class FakeOrchestrator {
  /** Every request as it came, newest last. */
  readonly requests: WireRequest[] = [];
  readonly vms = new Map<string, Vm>();
  readonly jobs = new Map<string, Job>();
  lsn = 1_000n;
  timeline = 1;
  servedFrom: 'primary' | 'replica' = 'primary';
  /** Answers say what they hold, so that caches keep them. */
  cacheable = false;
  /** Answers wait for it. */
  gate: Promise<void> | null = null;
  /** How long each request takes, milliseconds, and how many are worked on at a time: one more is `overloaded`. */
  latencyMs = 0;
  maxInFlight = Infinity;
  /** The most that were worked on at a time. */
  peakInFlight = 0;
  private inFlight = 0;
  /** How late the invalidators tell of a change, milliseconds. */
  tellsAfterMs = (): number => 0;
  private seq = 0;
  private failures: ServiceError[] = [];
  private readonly answers = new Map<string, { bodyHash: string; reply: object }>();

  /** @param invalidator another user's connection: the orchestrator may not tell caches */
  constructor(
    private readonly nc: NatsConnection,
    private readonly invalidator?: NatsConnection,
  ) {
    const serve = (contract: RpcContract, handle: (body: never, request: WireRequest) => object) =>
      nc.subscribe(contract.subject, {
        queue: 'orchestrator',
        callback: (_error, message) => this.answer(message, contract, handle),
      });
    serve(vmsRpc.create, (body: CreateVm, request) => this.create(body, request));
    serve(vmsRpc.get, (body: { id: string; tombstone?: boolean }, request) => ({
      body: this.vm(body.id, request, body.tombstone),
    }));
    serve(vmsRpc.list, (_body, { tenantId }) => ({
      body: { items: [...this.vms.values()].filter((vm) => vm.tenantId === tenantId), nextCursor: null },
    }));
    serve(vmsRpc.patch, (body: { id: string; patch: Partial<Vm>; ifMatch?: IfMatch }, request) => {
      const vm = this.expect(body, request);
      return { body: this.change(vm.id, body.patch) };
    });
    serve(vmsRpc.act, (body: { id: string; action: VmAction; ifMatch?: IfMatch }, request) =>
      this.act(body, request),
    );
    serve(vmsRpc.placement, (body: { id: string }, request) => ({
      body: {
        vmId: this.vm(body.id, request).id,
        hostId: HOST,
        decidedAt: at,
        candidates: 3,
        rejections: [{ filter: 'capacity', hosts: 2, example: 'too little memory' }],
        scores: [{ hostId: HOST, score: 0.5 }],
        summary: 'the least loaded of 1',
      },
    }));
    serve(vmsRpc.consoleLog, (body: { id: string }, request) => ({
      body: { vmId: this.vm(body.id, request).id, text: 'NOVACRON-GUEST-UP\n', truncated: false },
    }));
    serve(jobsRpc.get, (body: { id: string }) => ({ body: this.job(body.id) }));
    serve(jobsRpc.list, () => ({ body: { items: [...this.jobs.values()], nextCursor: null } }));
    serve(jobsRpc.cancel, (body: { id: string }) => ({
      body: this.endJob(this.job(body.id).id, 'cancelled'),
    }));
    serve(jobsRpc.retry, (body: { id: string }, request) => ({
      body: this.startJob(request.tenantId, this.job(body.id).vmId, 'retry'),
    }));
    serve(infrastructureRpc.hosts, () => ({ body: { items: [SOME_HOST], nextCursor: null } }));
    serve(infrastructureRpc.host, () => ({ body: SOME_HOST }));
    serve(infrastructureRpc.actOnHost, () => ({ body: { ...SOME_HOST, schedulable: false, version: 2 } }));
    serve(infrastructureRpc.removeHost, () => ({ body: SOME_HOST }));
    serve(infrastructureRpc.inviteHost, (body: object) => ({
      body: { labels: {}, capacity: null, ...body, token: 'nci_stand-in', expiresAt: SOME_HOST.createdAt },
    }));
    serve(infrastructureRpc.zones, () => ({ body: { items: [], nextCursor: null } }));
    serve(infrastructureRpc.images, () => ({ body: { items: [], nextCursor: null } }));
    const amounts = { cpu: 1, memory: 1, disk: 1, vms: 1 };
    serve(infrastructureRpc.quota, () => ({ body: { limits: amounts, used: amounts } }));
  }

  /** The next request is refused with this. */
  failNext(code: ErrorCode, detail = 'as the test wants it', retryAfterMs?: number): void {
    this.failures.push(new ServiceError(code, detail, retryAfterMs === undefined ? {} : { retryAfterMs }));
  }

  get position(): string {
    return `7000000000000000001.${this.timeline}.${this.lsn}`;
  }

  /** Changes a VM and publishes its event, as the relay would. `quietly`: without the event. */
  change(id: string, patch: Partial<Vm>, quietly = false): Vm {
    const before = this.vms.get(id) as Vm;
    const vm = { ...before, ...patch, version: before.version + 1 };
    this.vms.set(id, vm);
    this.lsn += 8n;
    if (!quietly) this.publish('vm', vm.tenantId, vm);
    return vm;
  }

  startJob(tenantId: TenantId, vmId: VmId, kind: string): Job {
    const job: Job = {
      id: newId<JobId>(),
      tenantId,
      vmId,
      kind,
      status: 'running',
      step: 'one',
      stepIndex: 0,
      stepCount: 1,
      attempt: 1,
      error: null,
      history: [],
      deadline: at,
      createdAt: at,
      updatedAt: at,
      version: 1,
    };
    this.jobs.set(job.id, job);
    return job;
  }

  endJob(id: JobId, status: Job['status']): Job {
    const job = { ...(this.jobs.get(id) as Job), status, version: 2 };
    this.jobs.set(id, job);
    this.lsn += 8n;
    this.publish('job', job.tenantId, job);
    return job;
  }

  private create(body: CreateVm, { tenantId, idempotency }: WireRequest): object {
    const before = idempotency && this.answers.get(idempotency.key);
    if (before !== undefined) {
      if (before.bodyHash === idempotency?.bodyHash) return { ...before.reply, replayed: true };
      throw new ServiceError('idempotency_mismatch', 'another body');
    }
    if ([...this.vms.values()].some((vm) => vm.name === body.name))
      throw new ServiceError('name_taken', `${body.name} is taken`);
    const id = newId<VmId>();
    const job = this.startJob(tenantId, id, 'create');
    const vm: Vm = {
      id,
      tenantId,
      name: body.name,
      state: 'pending',
      desiredState: 'running',
      config: body.config,
      zone: body.zone ?? 'sim',
      hostId: null,
      tags: body.tags,
      task: { jobId: job.id, kind: 'create', step: 'place', stepIndex: 0, stepCount: 3, deadline: at },
      conditions: [],
      stopReason: null,
      lastError: null,
      generation: 1,
      observedGeneration: 0,
      incarnation: 0,
      restartPolicy: { mode: 'never', maxAttempts: 5, backoff: 10 },
      version: 1,
      allowedActions: ['delete'],
      createdAt: at,
      updatedAt: at,
    };
    this.vms.set(id, vm);
    this.lsn += 8n;
    const reply = { body: vm };
    if (idempotency) this.answers.set(idempotency.key, { bodyHash: idempotency.bodyHash, reply });
    return reply;
  }

  private act(body: { id: string; action: VmAction; ifMatch?: IfMatch }, request: WireRequest): object {
    const vm = this.expect(body, request, true);
    const verdict = gate(body.action, { state: vm.state, task: null, placed: true });
    if (verdict.outcome === 'already') return { body: { vm, job: null } };
    if (verdict.outcome !== 'accept') throw new ServiceError('invalid_state', `the VM is ${vm.state}`);
    const job = this.startJob(request.tenantId, vm.id, body.action);
    const task = { jobId: job.id, kind: body.action, step: 'one', stepIndex: 0, stepCount: 1, deadline: at };
    return {
      body: { vm: this.change(vm.id, { ...(verdict.via ? { state: verdict.via } : {}), task }), job },
    };
  }

  private readAt(): { position: string; holds?: string } {
    return { position: this.position, ...(this.cacheable ? { holds: this.position } : {}) };
  }

  private expect(body: { id: string; ifMatch?: IfMatch }, request: WireRequest, tombstone = false): Vm {
    const vm = this.vm(body.id, request, tombstone);
    if (isExpected(body.ifMatch, vm.version)) return vm;
    throw new ServiceError('precondition_failed', `the version is ${vm.version}`);
  }

  private vm(id: string, request: WireRequest, tombstone = false): Vm {
    const vm = this.vms.get(id);
    if (vm === undefined || vm.tenantId !== request.tenantId || (vm.state === 'deleted' && !tombstone))
      throw new ServiceError('not_found', 'There is no such VM.');
    return vm;
  }

  private job(id: string): Job {
    const job = this.jobs.get(id);
    if (job === undefined) throw new ServiceError('not_found', 'There is no such job.');
    return job;
  }

  private publish(kind: 'vm' | 'job', tenantId: string, data: Vm | Job): void {
    const event = {
      id: newId(),
      seq: 1,
      type: `${kind}.updated`,
      tenantId,
      kind,
      resourceId: data.id,
      version: data.version,
      position: this.position,
      at,
      data,
    };
    this.nc.publish(eventSubject(event), JSON.stringify(event));
    this.seq += 1;
    if (this.cacheable) this.invalidate(kind, tenantId, data);
  }

  /** What the invalidators tell of an event. */
  private invalidate(kind: 'vm' | 'job', tenantId: string, { id, version }: Vm | Job): void {
    const [systemId, timeline, lsn] = this.position.split('.') as [string, string, string];
    const events = [{ seq: this.seq, tenantId, kind, id, version, lsn }];
    const message: Invalidation = { v: 1, history: `${systemId}.${timeline}`, events };
    const tell = () => this.invalidator?.publish(invalidationSubjects.orchestrator, JSON.stringify(message));
    const delay = this.tellsAfterMs();
    if (delay === 0) tell();
    else setTimeout(tell, delay);
  }

  /** The relay's watermark: all events so far are published, and time goes on. */
  beat(): void {
    this.lsn += 8n;
    const mark: Watermark = { service: 'orchestrator', seq: this.seq, position: this.position };
    this.nc.publish(watermarkSubject('orchestrator'), JSON.stringify(mark));
  }

  private answer(
    message: Msg,
    contract: RpcContract,
    handle: (body: never, request: WireRequest) => object,
  ): void {
    let reply: object;
    try {
      const request = WireRequest.parse(message.json());
      this.requests.push(request);
      const failure = this.failures.shift();
      if (failure !== undefined) throw failure;
      if (this.inFlight >= this.maxInFlight) throw new ServiceError('overloaded', 'as much as it can');
      const body = parseOrThrow(contract.body, request.body, 'body') as never;
      const answer = handle(body, request);
      contract.reply.parse((answer as { body: unknown }).body);
      const { version } = (answer as { body: { version?: number } }).body;
      reply = { ok: true, ...this.readAt(), version, servedFrom: this.servedFrom, ...answer };
    } catch (error) {
      const { code, detail, errors, retryAfterMs } =
        error instanceof ServiceError ? error : new ServiceError('internal', String(error));
      const readAt = code === 'not_found' && this.cacheable ? { readAt: this.readAt() } : {};
      reply = { ok: false, code, detail, errors, retryAfterMs, ...readAt };
    }
    const text = JSON.stringify(reply);
    if (this.gate === null && this.latencyMs === 0) {
      message.respond(text);
      return;
    }
    this.inFlight += 1;
    this.peakInFlight = Math.max(this.peakInFlight, this.inFlight);
    const done = this.gate ?? new Promise<void>((resolve) => setTimeout(resolve, this.latencyMs));
    void done.then(() => {
      this.inFlight -= 1;
      message.respond(text);
    });
  }
}
