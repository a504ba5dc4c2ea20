import { Ledger1764000000000 } from './1764000000000-ledger.js';
import { LedgerByResource1764003600000 } from './1764003600000-ledger-by-resource.js';

/** In the order in which they run. */
export const migrations = [Ledger1764000000000, LedgerByResource1764003600000];
