import { Points1764000000000 } from './1764000000000-points.js';

/** In the order in which they run. */
export const migrations = [Points1764000000000];
