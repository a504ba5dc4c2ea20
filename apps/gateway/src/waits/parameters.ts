import { z } from 'zod';
import { MAX_WAIT_SECONDS } from '../edge/prefer.js';

/** Seconds that a wait may take. */
export const timeoutParameter = z.coerce
  .number()
  .min(0)
  .max(MAX_WAIT_SECONDS)
  .default(30)
  .describe(`Seconds, at most ${MAX_WAIT_SECONDS}.`);
