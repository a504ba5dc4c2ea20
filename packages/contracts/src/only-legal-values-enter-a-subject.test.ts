import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { agentSubjects, hostSubjects, RegisterHost } from './agents.js';
import { eventSubject, watermarkSubject } from './events.js';
import { newId, type HostId } from './ids.js';
import { metricSubject } from './metrics.js';
import { replicationRpc } from './replication.js';
import {
  IllegalSubject,
  inboxPrefix,
  subjectOf,
  subjectPattern,
  SubjectToken,
  tokenOfName,
} from './subject.js';
import { CreateVm } from './vms.js';

/** Values that would split, widen or break a subject, or that NATS refuses. */
const ILLEGAL = [
  '',
  ' ',
  'a b',
  'a.b',
  '.',
  '*',
  'a*',
  '>',
  'a>',
  'a\tb',
  'a\nb',
  'a\0b',
  'ä',
  'a'.repeat(129),
];

const host = (value: string) => value as HostId;
const BUILDERS: Record<string, (value: string) => string> = {
  'the tenant of an event': (value) => eventSubject({ tenantId: value, kind: 'vm', resourceId: 'r' }),
  'the kind of an event': (value) => eventSubject({ tenantId: 't', kind: value as 'vm', resourceId: 'r' }),
  'the resource of an event': (value) => eventSubject({ tenantId: 't', kind: 'vm', resourceId: value }),
  'the service of a watermark': watermarkSubject,
  'the source of metrics': (value) => metricSubject(1, value),
  'the service of an RPC': (value) => replicationRpc(value).subject,
  'the user of an inbox': inboxPrefix,
  ...Object.fromEntries(
    Object.entries({ ...hostSubjects, ...agentSubjects }).map(([what, build]) => [
      `the host of ${what}`,
      (value: string) => build(host(value)),
    ]),
  ),
};

describe.each(Object.entries(BUILDERS))('%s', (_what, build) => {
  it.each(ILLEGAL)('may not be %j', (value) => {
    expect(() => build(value)).toThrow(IllegalSubject);
  });

  it('may be a UUID', () => {
    const id = newId<string>();
    expect(build(id).split('.')).toContain(id);
  });
});

describe('a subject', () => {
  it('has exactly the tokens that it was built from', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (tokens) => {
        const legal = tokens.every((token) => SubjectToken.safeParse(token).success);
        if (legal) expect(subjectOf(...tokens).split('.')).toEqual(tokens);
        else expect(() => subjectOf(...tokens)).toThrow(IllegalSubject);
      }),
    );
  });

  it('has wildcards only in a pattern, and `>` only at its end', () => {
    expect(subjectPattern('hosts', '*', '>')).toBe('hosts.*.>');
    expect(() => subjectPattern('hosts', '>', 'report')).toThrow(IllegalSubject);
    expect(() => subjectPattern('hosts', 'a*')).toThrow(IllegalSubject);
  });
});

describe('the name of a zone or image', () => {
  const registration = {
    name: 'x',
    zone: 'eu-west.1_A',
    driver: 'simulated',
    agentVersion: '1',
    capabilities: [],
    images: ['ubuntu-22.04'],
    capacity: { cpu: 1, memory: 1, disk: 1 },
    labels: {},
  };
  const DOORS: Record<string, (value: string) => boolean> = {
    'a registration, as its zone': (zone) => RegisterHost.safeParse({ ...registration, zone }).success,
    'a registration, as its name': (name) => RegisterHost.safeParse({ ...registration, name }).success,
    'a registration, as an image': (image) =>
      RegisterHost.safeParse({ ...registration, images: [image] }).success,
    'a create, as its zone': (zone) =>
      CreateVm.safeParse({ name: 'a', zone, config: { cpu: 1, memory: 64, disk: 1, image: 'i' } }).success,
  };
  const wrong = [
    ...ILLEGAL.filter((value) => value !== 'a.b'),
    'eu west',
    '-a',
    'a-',
    '.a',
    'a/b',
    'a'.repeat(64),
  ];

  it.each(Object.entries(DOORS))('is refused by %s when it is not a subject token', (_door, accepts) => {
    expect(wrong.filter(accepts)).toEqual([]);
    expect(accepts('eu-west-1')).toBe(true);
  });

  it('becomes one subject token when it is accepted', () => {
    for (const zone of [registration.zone, 'ubuntu-22.04', 'A', '9_9']) {
      expect(RegisterHost.safeParse({ ...registration, zone }).success).toBe(true);
      expect(() => subjectOf(tokenOfName(zone))).not.toThrow();
    }
  });
});
