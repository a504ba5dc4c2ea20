import { z } from 'zod';

/**
 * A WAL position: the system identifier of the cluster, the timeline, and the flushed LSN as a number of bytes.
 * Positions of two timelines or two clusters do not compare.
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

/** @throws Error when the text is not a position. Validate external text with {@link PositionText}. */
export function parsePosition(text: string): Position {
  const [systemId, timeline, lsn] = PositionText.parse(text).split('.') as [string, string, string];
  return { systemId, timeline: Number(timeline), lsn: BigInt(lsn) };
}

/** Parses the text of a Postgres `pg_lsn` (`16/B374D848`) to a number of bytes. */
export function parseLsn(text: string): bigint {
  const [high, low] = text.split('/') as [string, string];
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

export function sameLineage(a: Position, b: Position): boolean {
  return a.systemId === b.systemId && a.timeline === b.timeline;
}

/** The later of two positions. Of two timelines, the higher one. */
export function maxPosition(a: Position, b: Position): Position {
  if (a.timeline !== b.timeline) return a.timeline > b.timeline ? a : b;
  return a.lsn >= b.lsn ? a : b;
}
