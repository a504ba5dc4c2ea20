import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { eventSubject } from './events.js';
import { EventId, HostId, JobId, TenantId, VmId } from './ids.js';
import { metricPartition, METRIC_PARTITIONS, MetricBatch } from './metrics.js';
import { formatPosition, maxPosition, parseLsn, parsePosition } from './position.js';
import { ServiceError } from './errors.js';
import { parseOrThrow } from './validation.js';
import { CreateVm, VmListQuery } from './vms.js';

const guide = { name: 'web-1', config: { cpu: 2, memory: 4096, disk: 50, image: 'ubuntu-22.04' } };

describe('a position', () => {
  const position = fc.record({
    systemId: fc.bigInt(0n, 2n ** 63n).map(String),
    timeline: fc.integer({ min: 1, max: 1000 }),
    lsn: fc.bigInt(0n, 2n ** 63n),
  });

  it('parses from its own text', () => {
    fc.assert(fc.property(position, (p) => expect(parsePosition(formatPosition(p))).toEqual(p)));
  });

  it('has a maximum that is not before either position', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        const max = maxPosition(a, b);
        expect(max.timeline).toBe(Math.max(a.timeline, b.timeline));
        if (a.timeline === b.timeline) expect(max.lsn >= a.lsn && max.lsn >= b.lsn).toBe(true);
      }),
    );
  });

  it('parses a pg_lsn of Postgres', () => {
    expect(parseLsn('16/B374D848')).toBe(0x16b374d848n);
  });
});

describe('the request to create a VM', () => {
  it.each([
    ['NUL', 'a\0b'],
    ['half a surrogate pair', 'a\ud800b'],
  ])('refuses text that the database cannot store: %s', (_, bad) => {
    const nowhere = { ...guide, tags: { tier: bad }, userData: bad, sshKeys: [bad], zone: bad };
    const { error } = CreateVm.safeParse({ ...nowhere, config: { ...guide.config, image: bad } });
    const paths = error?.issues.map(({ path }) => path.join('/')).sort();
    expect(paths).toEqual(['config/image', 'sshKeys/0', 'tags/tier', 'userData', 'zone']);
    expect(VmListQuery.safeParse({ namePrefix: bad }).success).toBe(false);
    expect(VmListQuery.safeParse({ tag: [bad] }).success).toBe(false);
    expect(
      CreateVm.safeParse({ ...guide, tags: { tier: 'wéb 🚀' }, userData: '#cloud-config\n' }).success,
    ).toBe(true);
  });

  it('fills in the defaults of a body', () => {
    expect(parseOrThrow(CreateVm, guide, 'vm')).toMatchObject({
      ...guide,
      tags: {},
      sshKeys: [],
      autostart: true,
    });
  });

  it('names every wrong field', () => {
    const wrong = {
      name: 'Not A Label',
      config: { cpu: 0, memory: 'much', disk: 50, image: 'x', gpu: 1 },
      colour: 1,
    };
    try {
      parseOrThrow(CreateVm, wrong, 'vm');
      throw new Error('was accepted');
    } catch (error) {
      expect(error).toBeInstanceOf(ServiceError);
      const paths = (error as ServiceError).errors?.map((e) => e.path).sort();
      expect(paths).toEqual(['/colour', '/config/cpu', '/config/gpu', '/config/memory', '/name']);
    }
  });
});

describe('a batch of metrics', () => {
  it('goes to the partition of its VM by FNV-1a', () => {
    // The published vectors: FNV-1a 32 of "a" is 0xe40c292c, of "foobar" 0xbf9cf968.
    expect(metricPartition('a')).toBe(0xe40c292c % METRIC_PARTITIONS);
    expect(metricPartition('foobar')).toBe(0xbf9cf968 % METRIC_PARTITIONS);
  });

  it('is refused when its columns have different lengths', () => {
    const batch = { v: 1, tenantId: null, vmIds: [], metrics: [], vm: [0], metric: [], time: [], value: [] };
    expect(MetricBatch.safeParse(batch).success).toBe(false);
  });
});

describe('an id', () => {
  const lower = '01890a5d-ac96-774b-bcce-b302099a8057';

  it.each(Object.entries({ TenantId, VmId, JobId, HostId, EventId }))(
    'parses to its lower-case form: %s',
    (_, schema) => expect(schema.parse(lower.toUpperCase())).toBe(lower),
  );

  it('parses to its lower-case form in a batch of metrics', () => {
    const columns = { vm: [0], metric: [0], time: [1], value: [1] };
    const ids = { tenantId: lower.toUpperCase(), vmIds: [lower.toUpperCase()] };
    const batch = MetricBatch.parse({ v: 1, ...ids, metrics: ['x'], ...columns });
    expect([batch.tenantId, batch.vmIds]).toEqual([lower, [lower]]);
  });
});

it('the subject of an event names tenant, kind and id', () => {
  expect(eventSubject({ tenantId: 't', kind: 'vm', resourceId: 'v' })).toBe('events.t.vm.v');
});
