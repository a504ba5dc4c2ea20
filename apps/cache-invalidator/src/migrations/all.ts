import { Ledger1764000000000 } from './1764000000000-ledger.js';

/** In the order in which they run. */
export const migrations = [Ledger1764000000000];
