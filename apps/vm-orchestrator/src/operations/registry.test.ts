import { describe, expect, it } from '@jest/globals';
import { OFFERED_ACTIONS, VM_ACTIONS } from '@novacron/vm-lifecycle/actions';
import { operationFor } from './registry.js';

describe('the offered actions', () => {
  it('are those that have an operation', () => {
    expect(OFFERED_ACTIONS).toEqual(VM_ACTIONS.filter((action) => operationFor(action) !== undefined));
  });
});
