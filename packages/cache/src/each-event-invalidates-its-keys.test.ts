import { describe, expect, it } from '@jest/globals';
import { EventKind } from '@novacron/contracts/events';
import { changesOf, changesOfMetrics, merged, RULES } from './rules.js';

const AT = 2n ** 62n;

function changes(kind: EventKind, tenantId = 'ten') {
  return changesOf({ seq: 1, tenantId, kind, id: 'x', version: 7, lsn: '1' }, AT);
}
const resource = (key: string) => ({ what: 'resource', key, version: 7, position: AT });
const group = (name: string) => ({ what: 'group', group: name, position: AT });

describe('the rules', () => {
  it('vm: the VM, the lists of its tenant, and the zones, which tell what VMs have taken', () => {
    expect(changes('vm')).toEqual([resource('ten:vm:x'), group('ten:vms'), group('platform:zones')]);
  });
  it('job: the job and the job lists of its tenant', () => {
    expect(changes('job')).toEqual([resource('ten:job:x'), group('ten:jobs')]);
  });
  it('host: zones and images, which are answers about hosts', () => {
    expect(changes('host', 'platform')).toEqual([group('platform:zones'), group('platform:images')]);
  });
  it('image: images, and zones, which tell what they run', () => {
    expect(changes('image', 'platform')).toEqual([group('platform:images'), group('platform:zones')]);
  });
  it('zone: zones, and images, which tell where they run', () => {
    expect(changes('zone', 'platform')).toEqual([group('platform:zones'), group('platform:images')]);
  });
  it('quota: nothing, as no cache holds one', () => {
    expect(changes('quota')).toEqual([]);
  });
  it('there is one for every kind of event', () => {
    expect(Object.keys(RULES).sort()).toEqual([...EventKind.options].sort());
  });
  it('new points: all metrics of each VM, in its tenant', () => {
    const told = { vmIds: ['a', 'b'], tenantIds: ['t', 'u'], position: '7.1.9' };
    expect(changesOfMetrics(told)).toEqual([
      { what: 'group', group: 't:metrics-a', position: 9n },
      { what: 'group', group: 'u:metrics-b', position: 9n },
    ]);
  });
});

describe('changes of one batch', () => {
  it('become one for each key and group, the latest of both version and position', () => {
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
