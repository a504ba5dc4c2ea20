import { z } from 'zod';

export const PROBLEM_TYPE = 'application/problem+json';

/** An error as a client reads it (RFC 9457). `type` is the page of the code. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  requestId: z.string(),
  retryable: z.boolean(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof Problem>;
