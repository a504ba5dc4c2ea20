import type { z } from 'zod';
import { ServiceError, type FieldError } from './errors.js';

/** A zod issue list as field errors, each with a JSON Pointer; unknown keys are named one by one. */
export function fieldErrors(issues: readonly z.core.$ZodIssue[], prefix = ''): FieldError[] {
  return issues.flatMap((issue) => {
    const path =
      prefix +
      issue.path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: `${path}/${key}`, message: 'unknown field' }));
    }
    return [{ path, message: issue.message }];
  });
}

/** Parses or throws `invalid_request`, naming every field that is wrong. */
export function parseOrThrow<S extends z.ZodType>(schema: S, value: unknown, what: string): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = fieldErrors(parsed.error.issues);
  throw new ServiceError('invalid_request', `${what}: ${errors.length} field(s) are wrong`, { errors });
}
