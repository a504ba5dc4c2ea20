import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { VmAction } from '@novacron/vm-lifecycle/actions';
import { JOB_KINDS, OPERATIONS } from '../src/operations/registry.js';
import { play, pointsOf, type Event, type Scene } from './model/play.js';
import type { Asked, Behaviour } from './model/world.js';

/** Runs all triples instead of a sample: some minutes. */
const EXHAUSTIVE = process.env['NOVACRON_MODEL'] === 'exhaustive';
const SAMPLE = 4_000;

const ASKED: readonly Asked[] = [
  ...(Object.keys(OPERATIONS).filter((kind) => kind !== 'create') as VmAction[]),
  'retry',
  'cancel',
  'report',
  'crash',
];

const WELL: Behaviour = { obeys: true };
const DEAF: Behaviour = { obeys: false };
const from = (
  name: string,
  before: VmAction[],
  operation: Scene['operation'],
  behaviour: Behaviour = WELL,
): Scene => ({
  name,
  autostart: true,
  before,
  operation,
  behaviour,
});

/** Every operation, from every state that it has its own way from. */
const SCENES: readonly Scene[] = [
  from('a create', [], null),
  { ...from('a create without autostart', [], null), autostart: false },
  from('a create whose disk fails', [], null, { obeys: true, fails: 'create' }),
  from('a create whose guest fails', [], null, { obeys: true, fails: 'start' }),
  from('a start', ['stop'], 'start'),
  from('a start that fails', ['stop'], 'start', { obeys: true, fails: 'start' }),
  from('a stop', [], 'stop'),
  from('a stop of a deaf guest', [], 'stop', DEAF),
  from('a stop of a paused guest', ['pause'], 'stop'),
  from('a stop that fails', [], 'stop', { obeys: false, fails: 'force-stop' }),
  from('a force-stop', [], 'force-stop'),
  from('a reboot', [], 'reboot'),
  from('a reset', [], 'reset'),
  from('a reset of a paused guest', ['pause'], 'reset'),
  from('a pause', [], 'pause'),
  from('a pause that fails', [], 'pause', { obeys: true, fails: 'pause' }),
  from('a resume', ['pause'], 'resume'),
  from('a resume that fails', ['pause'], 'resume', { obeys: true, fails: 'resume' }),
  from('a delete', [], 'delete'),
  from('a delete of a stopped VM', ['stop'], 'delete'),
  from('a cold migration', [], 'cold-migrate'),
  from('a cold migration of a deaf guest', [], 'cold-migrate', DEAF),
  from('a cold migration of a stopped VM', ['stop'], 'cold-migrate'),
  from('a cold migration whose shutdown fails', [], 'cold-migrate', { obeys: true, fails: 'shutdown' }),
  from('a cold migration whose guest cannot be ended', [], 'cold-migrate', {
    obeys: false,
    fails: 'force-stop',
  }),
  from('a cold migration whose new disk fails', [], 'cold-migrate', { obeys: true, fails: 'create' }),
  from('a cold migration whose guest fails', [], 'cold-migrate', { obeys: true, fails: 'start' }),
  { ...from('a start on a fenced host', [], 'start'), fenced: true },
  {
    ...from('a start on a fenced host whose new disk fails', [], 'start', { obeys: true, fails: 'create' }),
    fenced: true,
  },
  {
    ...from('a start on a fenced host whose guest fails', [], 'start', { obeys: true, fails: 'start' }),
    fenced: true,
  },
];

/** Every way in which something can happen at a point. */
function* events(points: number, start = 0): Iterable<Event> {
  for (let at = start; at <= points; at++)
    for (const asked of ASKED)
      for (const leased of [true, false]) for (const late of [false, true]) yield { at, asked, leased, late };
}

describe('every operation', () => {
  it('is in a scene', () => {
    const scenes = new Set(SCENES.map(({ operation }) => operation ?? 'create'));
    expect([...scenes].sort()).toEqual(JOB_KINDS.toSorted());
  });
});

describe.each(SCENES.map((scene) => [scene.name, scene] as const))('%s', (_name, scene) => {
  it('ends in the state that its user wants', async () => {
    expect(await play(scene, [])).toBeNull();
  });

  it('ends in the state of the last accepted intent, for every event at every point', async () => {
    const wrong: unknown[] = [];
    for (const event of events(await pointsOf(scene))) {
      const what = await play(scene, [event]);
      if (what !== null) wrong.push({ what, event });
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });
});

describe('any operation', () => {
  const anyScene = fc.constantFrom(...SCENES);
  const anyEvent = fc.record({
    at: fc.nat(20),
    asked: fc.constantFrom(...ASKED),
    leased: fc.boolean(),
    late: fc.boolean(),
  });

  it('ends in the state of the last accepted intent after several events', async () => {
    await fc.assert(
      fc.asyncProperty(anyScene, fc.array(anyEvent, { minLength: 2, maxLength: 4 }), async (scene, some) => {
        const inOrder = some.toSorted((a, b) => a.at - b.at);
        expect(await play(scene, inOrder)).toBeNull();
      }),
      { numRuns: SAMPLE },
    );
  });

  (EXHAUSTIVE ? it : it.skip)(
    'ends in the state of the last accepted intent, for all triples',
    async () => {
      for (const scene of SCENES) {
        const points = await pointsOf(scene);
        for (const one of events(points))
          for (const two of events(points + 3, one.at))
            expect([one, two, await play(scene, [one, two])]).toEqual([one, two, null]);
      }
    },
    3_600_000,
  );
});
