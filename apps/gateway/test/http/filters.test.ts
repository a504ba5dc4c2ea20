import { describe, expect, it } from '@jest/globals';
import type { OperationContract } from '@novacron/contracts/operation';
import { operations } from '@novacron/contracts/operations/all';
import { z } from 'zod';
import { normalizeQuery } from '../../src/http/query.js';

/** What a filter's values are: of a closed set, of a format, or any text. */
const FILTERS = {
  state: 'closed',
  status: 'closed',
  kind: 'closed',
  sort: 'closed',
  hostId: 'format',
  vmId: 'format',
  updatedSince: 'format',
  zone: 'open',
  image: 'open',
  name: 'open',
  namePrefix: 'open',
  tag: 'open',
} as const;

const PAGE = ['limit', 'cursor'];
const shapeOf = (route: OperationContract) =>
  route.query instanceof z.ZodObject ? Object.keys(route.query.shape) : [];
const lists = operations.filter((route) => route.id.startsWith('list') && shapeOf(route).includes('cursor'));
const filters = lists.flatMap((route) =>
  shapeOf(route)
    .filter((name) => !PAGE.includes(name))
    .map((name) => [route.id, name, route] as const),
);

describe('a filter', () => {
  it('of every list has a test', () => {
    expect(lists.map(({ id }) => id).sort()).toEqual(
      expect.arrayContaining(['listHosts', 'listImages', 'listJobs', 'listVms', 'listZones']),
    );
    expect(new Set(filters.map(([, name]) => name))).toEqual(new Set(Object.keys(FILTERS)));
  });

  it.each(filters)(
    'of %s by %s refuses an unknown value when its set is closed, and only then',
    (_, name, route) => {
      const query = normalizeQuery({ [name]: 'bogus' }, route.lists);
      const parsed = (route.query as z.ZodType).safeParse(query);
      expect(parsed.success).toBe(FILTERS[name as keyof typeof FILTERS] === 'open');
      if (!parsed.success) expect(parsed.error.issues.map(({ path }) => path[0])).toEqual([name]);
    },
  );
});
