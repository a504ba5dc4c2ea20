import { describe, expect, it } from '@jest/globals';
import { check } from '../src/checker.js';
import { excerpt } from '../src/excerpt.js';
import type { History, ListFilter, Operation, Outage, ObservedVm } from '../src/operation.js';

const VM = '01900000-0000-7000-8000-000000000001';
const OTHER = '01900000-0000-7000-8000-000000000002';

/** Builds a history by hand: one call for each operation, which lasts a millisecond by default. */
class Script {
  readonly operations: Operation[] = [];
  readonly outages: Outage[] = [];

  private add(given: Record<string, unknown>): this {
    const id = this.operations.length;
    const times = { start: id * 10, end: id * 10 + 1 };
    const where = { id, session: 1, tenant: 0, gateway: 0, incarnation: 0, ...times };
    const token = { carriesToken: true, tokenBefore: 0, tokenAfter: 0 };
    this.operations.push({ ...where, ...token, status: 200, ...given } as unknown as Operation);
    return this;
  }

  create(version: number, write: number, more = {}) {
    const observed = vm(version, write, more);
    return this.add({ kind: 'create', status: 201, write, group: observed.group, observed, ...only(more) });
  }

  patch(version: number, write: number, more = {}) {
    const observed = vm(version, write, more);
    return this.add({
      kind: 'patch',
      vm: observed.vm,
      write,
      group: observed.group,
      observed,
      ...only(more),
    });
  }

  /** A patch without an answer. */
  lostPatch(write: number, more: { vm?: string; group?: string; session?: number } = {}) {
    const lost = { kind: 'patch', vm: more.vm ?? VM, write, group: more.group ?? 'red', status: 0 };
    this.outages.push({ fault: 'nats', from: 0, to: Infinity });
    return this.add({ ...lost, ...only(more) });
  }

  delete(more = {}) {
    return this.add({ kind: 'delete', vm: VM, status: 202, ...more });
  }

  get(version: number, write: number, more = {}) {
    const observed = vm(version, write, more);
    return this.add({ kind: 'get', vm: observed.vm, consistency: 'causal', observed, ...only(more) });
  }

  absent(more = {}) {
    return this.add({ kind: 'get', vm: VM, consistency: 'causal', status: 404, ...more });
  }

  failed(more = {}) {
    return this.add({ kind: 'get', vm: VM, consistency: 'causal', status: 503, retryAfter: 1, ...more });
  }

  list(items: readonly ObservedVm[], filter: ListFilter = {}, more = {}) {
    return this.add({ kind: 'list', filter, consistency: 'causal', items, ...more });
  }

  history(): History {
    return { operations: this.operations, outages: this.outages, faults: this.outages };
  }

  rules(): string[] {
    return check(this.history()).map(({ rule }) => rule);
  }
}

function vm(version: number, write: number, more: Partial<ObservedVm> = {}): ObservedVm {
  const { vm: id = VM, group = 'red', state = 'running', name = 'web-1' } = more;
  return { vm: id, version, write, group, state, name };
}

/** The options that belong to the operation, not to the VM. */
function only(more: Record<string, unknown>): Record<string, unknown> {
  const its = new Set(['vm', 'group', 'state', 'name']);
  return Object.fromEntries(Object.entries(more).filter(([key]) => !its.has(key)));
}

const script = () => new Script();

describe('a single VM', () => {
  it('may be read by its writer at the written version or newer', () => {
    expect(script().create(1, 1).get(1, 1).patch(2, 2).get(2, 2).get(5, 2).rules()).toEqual([]);
  });

  it('must not be older than its reader’s own write', () => {
    expect(script().create(1, 1).patch(2, 2).get(1, 1).rules()).toEqual(['older-than-known']);
  });

  it('must not be older than its reader’s earlier observation', () => {
    const other = { session: 2 };
    const story = script().create(1, 1).patch(2, 2).get(2, 2, other).get(1, 1, other);
    expect(story.rules()).toEqual(['older-than-known']);
  });

  it('may be old for a session that has not observed more', () => {
    expect(script().create(1, 1).patch(2, 2).get(1, 1, { session: 2 }).rules()).toEqual([]);
  });

  it('must not be older than the knowledge of the session whose token the reader adopted', () => {
    const story = script().create(1, 1).patch(2, 2).get(1, 1, { session: 2, adopts: 1 });
    expect(story.rules()).toEqual(['older-than-known']);
    const early = script().create(1, 1).patch(2, 2).get(1, 1, { session: 2, adopts: 0 });
    expect(early.rules()).toEqual([]);
  });

  it('must not be missing for a session that knows it, unless a session sent a delete', () => {
    expect(script().create(1, 1).absent().rules()).toEqual(['missing']);
    expect(script().create(1, 1).absent({ session: 2 }).rules()).toEqual([]);
    expect(script().create(1, 1).delete({ session: 2 }).absent().rules()).toEqual([]);
  });

  it('must not return for a session that observed its absence', () => {
    const story = script().create(1, 1).delete({ session: 2 }).absent().get(9, 1, { state: 'deleting' });
    expect(story.rules()).toEqual(['back-from-the-dead']);
  });

  it('is shown as deleting, or not at all, to the session that deleted it', () => {
    expect(script().create(1, 1).delete().get(2, 1).rules()).toEqual(['deleted-shown-alive']);
    expect(script().create(1, 1).delete().get(2, 1, { state: 'deleting' }).absent().rules()).toEqual([]);
  });

  it('has one body for each version, the body of the last write', () => {
    const two = script().create(1, 1).get(3, 1).get(3, 2, { session: 2 });
    expect(two.rules()).toEqual(['body-of-another-version']);
    const lost = script().create(1, 1).patch(2, 2).get(3, 1, { session: 2 });
    expect(lost.rules()).toEqual(['body-of-another-version']);
    const unknown = script().create(1, 1).patch(2, 2).lostPatch(3).get(3, 3, { session: 2 });
    expect(unknown.rules()).toEqual([]);
  });

  it('is never shown to another tenant', () => {
    expect(script().create(1, 1).get(1, 1, { tenant: 1, session: 2 }).rules()).toEqual(['of-another-tenant']);
  });

  it('is never written at a version that its writer had already observed', () => {
    expect(script().create(1, 1).get(4, 1).patch(4, 2).rules()).toContain('write-did-not-move');
  });

  it('includes all writes in a strong read, but may be old in an eventual one', () => {
    const strong = { session: 2, consistency: 'strong' };
    expect(script().create(1, 1).patch(2, 2).get(1, 1, strong).rules()).toEqual(['strong-read-is-old']);
    const eventual = { consistency: 'eventual' };
    expect(script().create(1, 1).patch(2, 2).get(1, 1, eventual).absent(eventual).rules()).toEqual([]);
    expect(script().create(1, 1).absent(eventual).get(1, 1).rules()).toEqual([]);
  });
});

describe('a list', () => {
  it('contains the VMs that its reader knows, at this version or newer', () => {
    const story = script().create(1, 1).patch(2, 2);
    expect(story.list([vm(2, 2)]).rules()).toEqual([]);
    expect(
      script()
        .create(1, 1)
        .patch(2, 2)
        .list([vm(1, 1)])
        .rules(),
    ).toEqual(['older-than-known']);
    expect(script().create(1, 1).list([]).rules()).toEqual(['missing']);
  });

  it('counts as an observation of each of its VMs', () => {
    const reader = { session: 2 };
    const story = script()
      .create(1, 1)
      .patch(2, 2)
      .list([vm(2, 2)], {}, reader)
      .get(1, 1, reader);
    expect(story.rules()).toEqual(['older-than-known']);
  });

  it('may omit a VM after a delete was sent, and then never shows it again', () => {
    const story = script().create(1, 1).delete({ session: 2 }).list([]);
    expect(story.rules()).toEqual([]);
    expect(story.list([vm(2, 1, { state: 'deleting' })]).rules()).toEqual(['back-from-the-dead']);
  });

  it('shows a deleted VM as deleting at most', () => {
    expect(
      script()
        .create(1, 1)
        .delete()
        .list([vm(1, 1)])
        .rules(),
    ).toEqual(['deleted-shown-alive']);
    expect(script().create(1, 1).delete().list([]).rules()).toEqual([]);
  });

  it('omits with a filter only the VMs that may have left the filter', () => {
    const red = { group: 'red' };
    expect(script().create(1, 1, red).list([], red).rules()).toEqual(['missing']);
    expect(script().create(1, 1, { group: 'blue' }).list([], red).rules()).toEqual([]);
    const moved = script().create(1, 1, red).patch(2, 2, { group: 'blue', session: 2 }).list([], red);
    expect(moved.rules()).toEqual([]);
    const lost = script().create(1, 1, red).lostPatch(2, { group: 'blue', session: 2 }).list([], red);
    expect(lost.rules()).toEqual([]);
    const before = script().create(1, 1, { group: 'blue' }).patch(2, 2, red).list([], red);
    expect(before.rules()).toEqual(['missing']);
  });

  it('contains no VM that its filter excludes, and no VM twice', () => {
    expect(
      script()
        .create(1, 1)
        .list([vm(1, 1)], { group: 'blue' })
        .rules(),
    ).toEqual(['outside-of-filter']);
    expect(
      script()
        .create(1, 1)
        .list([vm(1, 1)], { state: 'stopped' })
        .rules(),
    ).toEqual(['outside-of-filter']);
    expect(
      script()
        .create(1, 1)
        .list([vm(1, 1), vm(1, 1)])
        .rules(),
    ).toEqual(['twice-in-one-page']);
  });

  it('contains with a name filter every VM of that name, and may omit others', () => {
    const web = { namePrefix: 'web' };
    expect(script().create(1, 1).list([], web).rules()).toEqual(['missing']);
    expect(script().create(1, 1, { name: 'db-1' }).list([], web).rules()).toEqual([]);
  });

  it('proves nothing by an omission when it is one page of several, but must not be old', () => {
    const page = { partial: true };
    expect(
      script()
        .create(1, 1)
        .list([vm(3, 2, { vm: OTHER })], page)
        .rules(),
    ).toEqual([]);
    expect(
      script()
        .create(1, 1)
        .patch(2, 2)
        .list([vm(1, 1)], page)
        .rules(),
    ).toEqual(['older-than-known']);
  });
});

describe('a session without a token', () => {
  const silent = { carriesToken: false };

  it('is remembered by the gateway process that served it', () => {
    expect(script().create(1, 1, silent).patch(2, 2, silent).get(1, 1, silent).rules()).toEqual([
      'older-than-known',
    ]);
  });

  it('is unknown to the next gateway process', () => {
    const next = { ...silent, incarnation: 1 };
    expect(script().create(1, 1, silent).patch(2, 2, silent).get(1, 1, next).get(2, 2, next).rules()).toEqual(
      [],
    );
  });
});

describe('an error', () => {
  it('is a violation without an outage', () => {
    expect(script().failed().rules()).toEqual(['error-without-outage']);
    expect(script().failed({ status: 500 }).rules()).toEqual(['unexpected-answer']);
    expect(script().failed({ status: 422 }).rules()).toEqual(['unexpected-answer']);
  });

  it('is excused during an outage, only at the affected gateway', () => {
    const excused = script().failed().failed({ gateway: 1 });
    excused.outages.push({ fault: 'gateway killed', from: 0, to: 100, gateway: 0 });
    expect(check(excused.history())).toMatchObject([
      { rule: 'error-without-outage', operation: { gateway: 1 } },
    ]);
  });

  it('is a violation while the primary is down when a replica has already served this position', () => {
    const token = (tokenBefore: number) => ({ tokenBefore, servedFrom: 'replica' });
    const later = { start: 5_000, end: 5_001 };
    const story = script().get(1, 1, token(70)).failed(token(70));
    story.failed({ ...token(80), ...later }).failed({ ...token(70), ...later });
    story.outages.push({ fault: 'primary', from: 0, to: 9_000, replicasAnswer: true });
    const violations = check(story.history());
    expect(violations).toMatchObject([{ rule: 'error-without-outage', operation: { tokenBefore: 70 } }]);
    const strong = script()
      .get(1, 1, token(70))
      .failed({ ...token(70), ...later, consistency: 'strong' });
    strong.outages.push(...story.outages);
    expect(strong.rules()).toEqual([]);
  });

  it('has a Retry-After', () => {
    const silent = script().failed({ retryAfter: undefined });
    silent.outages.push({ fault: 'nats', from: 0, to: 100 });
    expect(silent.rules()).toEqual(['no-retry-after']);
  });

  it('arrives in bounded time, also in an outage', () => {
    const slow = script().failed({ start: 0, end: 60_000 });
    slow.outages.push({ fault: 'nats', from: 0, to: Infinity });
    expect(slow.rules()).toEqual(['too-slow']);
  });
});

it('an excerpt shows the earlier observation, later writes and the active fault', () => {
  const story = script().create(1, 1).patch(2, 2).get(2, 2, { session: 2 }).get(1, 1);
  const history = { ...story.history(), faults: [{ fault: 'replica 1 paused', from: 15, to: 500 }] };
  const [violation] = check(history);
  expect(excerpt(history, violation as NonNullable<typeof violation>)).toMatch(
    new RegExp(
      [
        `older-than-known: ${VM} is shown at version 1; its reader knew 2`,
        '  known by  #1 .*patch → 200 shows v2 write 2.*',
        '  wrong     #3 .*get → 200 shows v1 write 1.*',
        '  faults    replica 1 paused 15..500 ms',
      ].join('\n'),
    ),
  );
});
