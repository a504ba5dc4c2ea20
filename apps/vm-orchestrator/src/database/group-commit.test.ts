import { describe, expect, it } from '@jest/globals';
import { ServiceError } from '@novacron/contracts/errors';
import { GroupCommit } from './group-commit.js';

const refused = new ServiceError('invalid_request', 'a value is not one that can be stored');

describe('a group commit', () => {
  it('refuses only the item whose value the database refuses', async () => {
    const sizes: number[] = [];
    const group = new GroupCommit<string, string>(
      async (batch) => {
        sizes.push(batch.length);
        if (batch.includes('bad')) throw refused;
        return batch.map((item) => item.toUpperCase());
      },
      { maxBatch: 10, maxWaiting: 10, whenFull: () => new Error('full') },
    );
    const answers = await Promise.allSettled(['a', 'bad', 'c'].map((item) => group.submit(item)));
    expect(answers).toEqual([
      { status: 'fulfilled', value: 'A' },
      { status: 'rejected', reason: refused },
      { status: 'fulfilled', value: 'C' },
    ]);
    expect(sizes).toEqual([3, 1, 1, 1]);
  });
});
