import { z } from 'zod';

/**
 * A place in the write-ahead log of one history of one database: the system identifier of the cluster, the
 * timeline, and the flushed LSN as a number of bytes. Positions of two histories do not compare.
 */
export interface Position {
  readonly systemId: string;
  readonly timeline: number;
  readonly lsn: bigint;
}

/** `<systemId>.<timeline>.<lsn>`, all decimal. */
export const PositionText = z
  .string()
  .regex(/^\d{1,20}\.\d{1,10}\.\d{1,20}$/, 'not a position')
  .meta({ examples: ['7563412908765432101.1.402653184'] });

export function formatPosition(position: Position): string {
  return `${position.systemId}.${position.timeline}.${position.lsn}`;
}

/** @throws Error when the text is no position; validate with {@link PositionText} what comes from outside. */
export function parsePosition(text: string): Position {
  const [systemId, timeline, lsn] = PositionText.parse(text).split('.') as [string, string, string];
  return { systemId, timeline: Number(timeline), lsn: BigInt(lsn) };
}

/** Parses Postgres' `pg_lsn` text (`16/B374D848`) into a number of bytes. */
export function parseLsn(text: string): bigint {
  const [high, low] = text.split('/') as [string, string];
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

export function sameHistory(a: Position, b: Position): boolean {
  return a.systemId === b.systemId && a.timeline === b.timeline;
}

/** The later of two positions; of two timelines of one system the higher one. */
export function maxPosition(a: Position, b: Position): Position {
  if (a.timeline !== b.timeline) return a.timeline > b.timeline ? a : b;
  return a.lsn >= b.lsn ? a : b;
}
