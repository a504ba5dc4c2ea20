import type { Entry } from './entry.js';

/**
 * An entry as Redis holds it: a header of fixed width, the tenant, the body's bytes as they are.
 *
 *     1  format          20  position     20  version, '-' × 20 without one
 *     3  status          15  filledAt     10  ttlMs      20  seen       3  length of the tenant, then the tenant
 *
 * Numbers are decimal and padded with zeros. A position has 64 bits, but Lua's numbers are doubles, which are exact to
 * 2^53 only. Texts of digits with one length compare as their numbers do.
 */
const FORMAT = '2';
const HEADER = 92;
export const WIDTH = 20;
const NO_VERSION = '-'.repeat(WIDTH);

/** @returns 20 digits */
export function wide(value: bigint | number): string {
  return value.toString().padStart(WIDTH, '0');
}

export function encodeEntry(entry: Entry): Buffer {
  const tenant = Buffer.from(entry.tenantId);
  const header =
    FORMAT +
    wide(entry.position) +
    (entry.version === null ? NO_VERSION : wide(entry.version)) +
    pad(entry.status, 3) +
    pad(entry.filledAt, 15) +
    pad(entry.ttlMs, 10) +
    wide(entry.seen) +
    pad(tenant.length, 3);
  return Buffer.concat([Buffer.from(header, 'latin1'), tenant, entry.bytes]);
}

/** @returns undefined for a value of another format, which another release may have left */
export function decodeEntry(value: Buffer): Entry | undefined {
  const header = value.toString('latin1', 0, HEADER);
  const fields = /^2(\d{20})(\d{20}|-{20})(\d{3})(\d{15})(\d{10})(\d{20})(\d{3})$/.exec(header);
  if (!fields) return undefined;
  const [, position, version, status, filledAt, ttlMs, seen, tenantLength] = fields as unknown as string[];
  const body = HEADER + Number(tenantLength);
  if (value.length < body) return undefined;
  return {
    position: BigInt(position as string),
    version: version === NO_VERSION ? null : Number(version),
    status: Number(status),
    filledAt: Number(filledAt),
    ttlMs: Number(ttlMs),
    seen: BigInt(seen as string),
    tenantId: value.toString('utf8', HEADER, body),
    bytes: value.subarray(body),
  };
}

function pad(value: number, width: number): string {
  return Math.round(value).toString().padStart(width, '0');
}
