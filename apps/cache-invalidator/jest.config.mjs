import base from '../../jest.base.mjs';

// Real servers are started and killed: on a busy machine that takes its time.
export default { ...base, testTimeout: 60_000 };
