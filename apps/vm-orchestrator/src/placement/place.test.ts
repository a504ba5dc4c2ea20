import { describe, expect, it } from '@jest/globals';
import type { Condition } from '@novacron/contracts/common';
import { newId, type HostId, type TenantId, type VmId } from '@novacron/contracts/ids';
import type { HostConditionType } from '@novacron/contracts/infrastructure';
import { Placement } from '@novacron/contracts/vms';
import fc from 'fast-check';
import type { HostView } from '../hosts/host-view.js';
import type { PlacementRequest } from './request.js';
import { place } from './place.js';

const NOW = new Date('2026-11-23T12:00:00.000Z');

function host(over: Partial<HostView> = {}): HostView {
  const id = newId<HostId>();
  return {
    id,
    name: `h-${id.slice(-6)}`,
    zone: 'sim',
    state: 'up',
    schedulable: true,
    conditions: [],
    capabilities: ['pause'],
    images: ['ubuntu-22.04'],
    capacity: { cpu: 64, memory: 65_536, disk: 1_000 },
    allocated: { cpu: 0, memory: 0, disk: 0 },
    cleanups: 0,
    ...over,
  };
}

function condition(type: HostConditionType): Condition {
  return { type, status: 'true', reason: 'Test', message: 'test', lastTransitionAt: NOW.toISOString() };
}

function request(over: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    vmId: newId<VmId>(),
    tenantId: newId<TenantId>(),
    zone: 'sim',
    cpu: 2,
    memory: 4_096,
    disk: 50,
    image: 'ubuntu-22.04',
    needs: [],
    ...over,
  };
}

const amount = (max: number) => fc.integer({ min: 0, max });
const hostArb = fc
  .record({
    zone: fc.constantFrom('sim', 'local'),
    state: fc.constantFrom('up' as const, 'up' as const, 'down' as const, 'fenced' as const),
    schedulable: fc.boolean(),
    images: fc.subarray(['ubuntu-22.04', 'tiny-linux']),
    capabilities: fc.subarray(['pause' as const, 'migrate' as const]),
    cleanups: fc.constantFrom(0, 0, 1),
    conditions: fc.subarray((['StorageFull', 'GuestsDamaged', 'ClockSkewed'] as const).map(condition)),
    capacity: fc.record({ cpu: amount(16), memory: amount(16_000), disk: amount(500) }),
    allocated: fc.record({ cpu: amount(16), memory: amount(16_000), disk: amount(500) }),
  })
  .map(host);
const requestArb = fc
  .record({
    cpu: fc.integer({ min: 1, max: 16 }),
    memory: fc.integer({ min: 64, max: 16_000 }),
    disk: fc.integer({ min: 1, max: 500 }),
    needs: fc.subarray(['pause' as const, 'migrate' as const]),
  })
  .map(request);

describe('placement', () => {
  it('never chooses a host that is down, cordoned, elsewhere, full, unable or without the image', () => {
    fc.assert(
      fc.property(requestArb, fc.array(hostArb, { maxLength: 12 }), (wanted, hosts) => {
        const chosen = hosts.find(({ id }) => id === place(wanted, hosts, NOW).hostId);
        if (!chosen) return;
        expect(chosen).toMatchObject({ zone: 'sim', state: 'up', schedulable: true, cleanups: 0 });
        expect(chosen?.conditions.map(({ type }) => type)).not.toContain('StorageFull');
        expect(chosen.images).toContain(wanted.image);
        expect(chosen.capabilities).toEqual(expect.arrayContaining([...wanted.needs]));
        for (const resource of ['cpu', 'memory', 'disk'] as const) {
          expect(chosen.allocated[resource] + wanted[resource]).toBeLessThanOrEqual(
            chosen.capacity[resource],
          );
        }
      }),
    );
  });

  it('finds a host whenever one passes, and counts every other host under the first filter that refused it', () => {
    fc.assert(
      fc.property(requestArb, fc.array(hostArb, { maxLength: 12 }), (wanted, hosts) => {
        const { hostId, fits, explanation } = place(wanted, hosts, NOW);
        const refused = explanation.rejections.reduce((sum, { hosts: count }) => sum + count, 0);
        const inZone = hosts.filter(({ zone }) => zone === wanted.zone);
        expect(explanation.candidates).toBe(inZone.length);
        expect(inZone.length - refused > 0).toBe(hostId !== null);
        expect(fits === 'now').toBe(hostId !== null);
        Placement.parse(explanation);
        const text = JSON.stringify(explanation);
        for (const { id, name, zone } of hosts) {
          if (zone !== wanted.zone) expect(text.includes(id) || text.includes(name)).toBe(false);
        }
      }),
    );
  });

  it('answers `never` only when no suitable host of the zone is large enough, even empty', () => {
    const full = host({ allocated: { cpu: 64, memory: 65_536, disk: 1_000 } });
    expect(place(request({ cpu: 65 }), [full], NOW)).toMatchObject({ hostId: null, fits: 'never' });
    expect(place(request({ cpu: 64 }), [full], NOW)).toMatchObject({ hostId: null, fits: 'later' });
    expect(place(request({ cpu: 64 }), [host({ state: 'down' })], NOW).fits).toBe('later');
    expect(place(request(), [], NOW)).toMatchObject({
      fits: 'later',
      explanation: { summary: 'zone sim has no hosts' },
    });
    // Large enough for each resource alone is not large enough.
    const lopsided = [
      host({ capacity: { cpu: 100, memory: 1_024, disk: 100 } }),
      host({ capacity: { cpu: 1, memory: 999_999, disk: 100 } }),
    ];
    expect(place(request({ cpu: 90, memory: 90_000 }), lopsided, NOW).fits).toBe('never');
  });

  it('explains a refusal with an example for each filter', () => {
    const hosts = [
      host({ name: 'a', state: 'down' }),
      host({ name: 'b', schedulable: false }),
      host({ name: 'c', allocated: { cpu: 63, memory: 0, disk: 0 } }),
      host({ name: 'd', zone: 'local' }),
    ];
    expect(place(request(), hosts, NOW).explanation).toMatchObject({
      candidates: 3,
      rejections: [
        { filter: 'state', hosts: 1, example: 'a is down' },
        { filter: 'schedulable', hosts: 1, example: 'b is cordoned' },
        { filter: 'cpu', hosts: 1, example: 'c has 1 of 64 virtual CPUs free, 2 are needed' },
      ],
      summary: 'no host of zone sim fits now: state refused 1, schedulable refused 1, cpu refused 1',
    });
  });

  it('chooses the least loaded host, measured as shares of what each has', () => {
    const half = host({ allocated: { cpu: 32, memory: 32_768, disk: 0 } });
    const quarterOfSmall = host({
      capacity: { cpu: 16, memory: 16_384, disk: 500 },
      allocated: { cpu: 2, memory: 2_048, disk: 0 },
    });
    expect(place(request(), [half, quarterOfSmall], NOW).hostId).toBe(quarterOfSmall.id);
  });

  it('gives one VM the same host again, and spreads VMs over equal hosts', () => {
    const hosts = Array.from({ length: 10 }, () => host());
    const chosen = new Map<string, number>();
    for (let i = 0; i < 1_000; i++) {
      const wanted = request();
      const { hostId } = place(wanted, hosts, NOW);
      expect(place(wanted, [...hosts].reverse(), NOW).hostId).toBe(hostId);
      chosen.set(hostId as string, (chosen.get(hostId as string) ?? 0) + 1);
    }
    expect(chosen.size).toBe(10);
    expect(Math.max(...chosen.values())).toBeLessThan(200);
  });

  it('reads each host equally often, for any number of hosts', () => {
    const looks = (count: number): number => {
      let looked = 0;
      const hosts = Array.from({ length: count }, () => {
        const { allocated, ...rest } = host();
        return {
          ...rest,
          get allocated() {
            looked += 1;
            return allocated;
          },
        };
      });
      place(request(), hosts, NOW);
      return looked / count;
    };
    expect(looks(1_000)).toBeLessThanOrEqual(2 * looks(50));
  });
});
