import type { IncomingHttpHeaders } from 'node:http';
import { ServiceError } from '@novacron/contracts/errors';
import { MERGE_PATCH, type JsonLimits } from '@novacron/contracts/operation';
import { checkShape } from './json-shape.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Whether the body is a JSON Merge Patch (RFC 7396). */
export function isMergePatch(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase() === MERGE_PATCH;
}

/** An empty body is undefined. @throws ServiceError `malformed_json`, or as `checkShape` */
export function parseJson(body: Buffer, limits: JsonLimits): unknown {
  if (body.length === 0) return undefined;
  checkShape(body, limits);
  try {
    return JSON.parse(utf8.decode(body));
  } catch (error) {
    throw new ServiceError('malformed_json', `The body is not valid JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
