import type { VmAction } from '@novacron/vm-lifecycle/actions';
import { isTransient, type VmState } from '@novacron/vm-lifecycle/states';
import type { LeasedJob } from '../../src/jobs/operation.js';
import { type Accepted, type Asked, type Behaviour, World } from './world.js';

/** Something that happens at one point of a play. */
export interface Event {
  /** Points are counted from the acceptance of the scene's operation: each step of a worker has three. */
  readonly at: number;
  readonly asked: Asked;
  /** Whether this process works on the new job at once, or the next free worker. */
  readonly leased: boolean;
  /** A worker that lost its lease goes on only after everything else is over, as behind a slow network. */
  readonly late: boolean;
}

/** The operation that is under way when events happen, and how its VM came there. */
export interface Scene {
  readonly name: string;
  readonly autostart: boolean;
  readonly before: readonly VmAction[];
  /** The VM's host is fenced before the operation. */
  readonly fenced?: boolean;
  /** Null: the create itself. `cold-migrate`: an operator drains the host. */
  readonly operation: VmAction | 'cold-migrate' | null;
  readonly behaviour: Behaviour;
}

const STEPS_LIMIT = 300;

/** Plays a scene with its events to the end. @returns what is wrong with the end; null when it is right */
export async function play(scene: Scene, events: readonly Event[]): Promise<string | null> {
  return (await perform(scene, events)).wrong;
}

/** How many points a scene has when nothing happens in it. */
export async function pointsOf(scene: Scene): Promise<number> {
  return (await perform(scene, [])).points;
}

async function perform(scene: Scene, events: readonly Event[]) {
  const world = new World({ obeys: true }, scene.autostart);
  const harness = new ModelHarness(world, []);
  if (scene.operation === null) world.behaviour = scene.behaviour;
  else await harness.runAll();
  for (const action of scene.before) {
    world.behaviour = action === 'retry' ? scene.behaviour : world.behaviour;
    world.ask(action, 'worker');
    await harness.runAll();
  }
  world.behaviour = scene.behaviour;
  if (scene.fenced) world.fence();
  if (scene.operation === 'cold-migrate') world.drain();
  else if (scene.operation !== null && !world.ask(scene.operation, 'worker'))
    return { points: 0, wrong: `${scene.operation} was refused in ${world.vm.state}` };
  const acting = new ModelHarness(world, events);
  await acting.runAll();
  // What came after the last step of everything: in the stable state.
  await acting.rest();
  world.deliverReports();
  return { points: acting.points, wrong: wrongWith(world) };
}

class ModelHarness {
  points = 0;
  #steps = 0;
  readonly #left: Event[];

  constructor(
    private readonly world: World,
    events: readonly Event[],
  ) {
    this.#left = [...events];
  }

  async runAll(): Promise<void> {
    for (let leased = this.#next(); leased; leased = this.#next()) await this.#work(leased);
  }

  async rest(): Promise<void> {
    while (this.#left.length > 0) {
      this.#happen(this.#left.shift() as Event);
      await this.runAll();
    }
  }

  #next(): LeasedJob | null {
    if (++this.#steps > STEPS_LIMIT) throw new Error('the jobs never end');
    return this.world.createdLeased() ?? this.world.lease();
  }

  /** One leased job, until its lease is lost, it waits or it is over. */
  async #work(first: LeasedJob): Promise<void> {
    for (let leased: LeasedJob | null = first; leased;) {
      if (await this.#point(leased)) return;
      const ended = await this.world.run(leased);
      if (await this.#point(leased)) return;
      leased = this.world.commit(ended);
      if (await this.#point(leased)) return;
    }
  }

  /** Applies the events of this point. @returns whether the worker died */
  async #point(leased: LeasedJob | null): Promise<boolean> {
    const here = this.points++;
    let died = false;
    while (this.#left[0] && this.#left[0].at <= here) {
      const event = this.#left.shift() as Event;
      died ||= event.asked === 'crash';
      this.world.deliverReports();
      this.#happen(event);
      if (event.late && leased && this.#isLost(leased)) await this.runAll();
    }
    if (died && leased) this.world.expire(leased);
    return died;
  }

  #happen(event: Event): void {
    if (event.asked !== 'crash') this.world.ask(event.asked, event.leased ? 'worker' : null);
  }

  #isLost({ job }: LeasedJob): boolean {
    const now = this.world.jobs.get(job.id);
    return now?.lease_owner !== job.lease_owner || now.fence !== job.fence || now.status !== 'running';
  }
}

/** The final states of each action. A deleted VM has no guest, so a delete satisfies every action that ends one. */
const ENDS: Partial<Record<Accepted['asked'], readonly VmState[]>> = {
  start: ['running'],
  reboot: ['running'],
  reset: ['running'],
  resume: ['running'],
  retry: ['running', 'stopped'],
  'cold-migrate': ['running', 'stopped'],
  stop: ['stopped', 'deleted'],
  'force-stop': ['stopped', 'deleted', 'error'],
  pause: ['paused'],
  delete: ['deleted'],
};
const POWER: Partial<Record<VmState, readonly string[]>> = {
  running: ['running'],
  paused: ['paused'],
  stopped: ['stopped'],
  deleted: ['absent'],
};

function wrongWith(world: World): string | null {
  const { vm, power } = world;
  const last = world.accepted.at(-1) as Accepted;
  const job = last.job === null ? undefined : world.jobs.get(last.job);
  const error = job && ['failed', 'cancelled'].includes(job.status) ? job.error : null;
  const story = world.accepted.map(({ asked }) => asked).join(', ');
  const is = `${vm.state}/${power}, desired ${vm.desired_state}, job ${job?.kind} ${job?.status}`;
  const say = (what: string) => `after ${story}: ${what} (${is})`;
  if (vm.task !== null || isTransient(vm.state)) return say('the VM is stuck');
  if (!error && POWER[vm.state]?.includes(power) === false) return say('the host has something else');
  if (world.isTwice) return say('another host has something of it too');
  if (last.asked === 'cancel') return error ? null : say('a cancel was accepted and its job did not say so');
  if (error) return job?.error?.code === 'superseded' ? say('the last intent was superseded') : null;
  if (!ENDS[last.asked]?.includes(vm.state)) return say('the VM ended elsewhere');
  const agrees = vm.state === 'error' || vm.desired_state === vm.state;
  return agrees ? null : say('desiredState says something else');
}
