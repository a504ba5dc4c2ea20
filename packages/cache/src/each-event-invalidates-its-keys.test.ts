import { describe, expect, it } from '@jest/globals';
import { EventKind } from '@novacron/contracts/events';
import { changesOf, changesOfMetrics, merged, RULES } from './rules.js';

const AT = 2n ** 62n;

function changes(kind: EventKind, tenantId = 'ten') {
  return changesOf({ seq: 1, tenantId, kind, id: 'x', version: 7, lsn: '1' }, AT);
}
const resource = (key: string) => ({ what: 'resource', key, version: 7, position: AT });
const group = (name: string) => ({ what: 'group', group: name, position: AT });

describe('an event', () => {
  it('of a VM invalidates the VM, the lists of its tenant, and the zones, which show what VMs have taken', () => {
    expect(changes('vm')).toEqual([resource('ten:vm:x'), group('ten:vms'), group('platform:zones')]);
  });
  it('of a job invalidates the job and the job lists of its tenant', () => {
    expect(changes('job')).toEqual([resource('ten:job:x'), group('ten:jobs')]);
  });
  it('of a host invalidates zones and images, which are answers about hosts', () => {
    expect(changes('host', 'platform')).toEqual([group('platform:zones'), group('platform:images')]);
  });
  it('of an image invalidates images, and zones, which show what they run', () => {
    expect(changes('image', 'platform')).toEqual([group('platform:images'), group('platform:zones')]);
  });
  it('of a zone invalidates zones, and images, which show where they run', () => {
    expect(changes('zone', 'platform')).toEqual([group('platform:zones'), group('platform:images')]);
  });
  it('of a quota invalidates nothing: no cache holds a quota', () => {
    expect(changes('quota')).toEqual([]);
  });
  it('of every kind has a rule', () => {
    expect(Object.keys(RULES).sort()).toEqual([...EventKind.options].sort());
  });
  it('of new points invalidates all metrics of each VM, in its tenant', () => {
    const message = { vmIds: ['a', 'b'], tenantIds: ['t', 'u'], position: '7.1.9' };
    expect(changesOfMetrics(message)).toEqual([
      { what: 'group', group: 't:metrics-a', position: 9n },
      { what: 'group', group: 'u:metrics-b', position: 9n },
    ]);
  });
});

describe('the changes of one batch', () => {
  it('are merged to the latest version and position for each key and group', () => {
    const event = { tenantId: 'ten', kind: 'vm' as const, id: 'x', lsn: '' };
    const all = [
      ...changesOf({ ...event, seq: 2, version: 3 }, 20n),
      ...changesOf({ ...event, seq: 1, version: 2 }, 30n),
    ];
    expect(merged(all)).toEqual([
      { what: 'resource', key: 'ten:vm:x', version: 3, position: 30n },
      { what: 'group', group: 'ten:vms', position: 30n },
      { what: 'group', group: 'platform:zones', position: 30n },
    ]);
  });
});
