import { Points1764000000000 } from './1764000000000-points.js';
import { IntakeAccount1764007200000 } from './1764007200000-intake-account.js';

/** In the order of their execution. */
export const migrations = [Points1764000000000, IntakeAccount1764007200000];
