import { expect, it } from '@jest/globals';
import { operations } from '@novacron/contracts/operations/all';
import { routes } from '../../src/routes.js';

it('the gateway implements every operation of the contracts, and no other', () => {
  expect(routes.map(({ id }) => id).sort()).toEqual(operations.map(({ id }) => id).sort());
});
