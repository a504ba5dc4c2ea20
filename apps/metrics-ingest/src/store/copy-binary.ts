import type { Series } from './series-buffer.js';

/** The columns of metrics.points in the order in which rows are encoded. */
export const COPY_POINTS =
  'COPY metrics.points (tenant_id, vm_id, metric_id, ts, value, pos) FROM STDIN WITH (FORMAT binary)';

/** Bytes per write to the connection: COPY in small pieces is ten times slower. */
const CHUNK_BYTES = 256 * 1024;
/** Field count; two uuids, an int4 and three 8-byte fields, each behind its length. */
const ROW_BYTES = 2 + (4 + 16) * 2 + (4 + 4) + (4 + 8) * 3;
const TIME_AT = 2 + 20 + 20 + 8 + 4;
const VALUE_AT = TIME_AT + 12;
const POS_AT = VALUE_AT + 12;
const TWO_32 = 2 ** 32;

/** The signature, no flags, no header extension (PostgreSQL documentation, COPY, "Binary Format"). */
const HEADER = Buffer.from([...Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), 0, 0, 0, 0, 0, 0, 0, 0]);
const TRAILER = Buffer.from([0xff, 0xff]);

/** Encodes all points of the series for {@link COPY_POINTS}, in buffers of at most {@link CHUNK_BYTES}. */
export function* encodeCopy(series: Iterable<Series>): Generator<Buffer> {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let used = HEADER.copy(chunk);
  for (const one of series) {
    const row = rowTemplate(one);
    for (let i = 0; i < one.times.length; i++) {
      if (used + ROW_BYTES > CHUNK_BYTES) {
        yield chunk.subarray(0, used);
        chunk = Buffer.allocUnsafe(CHUNK_BYTES);
        used = 0;
      }
      row.copy(chunk, used);
      writeInt64(chunk, used + TIME_AT, one.times[i] as number);
      chunk.writeDoubleBE(one.values[i] as number, used + VALUE_AT);
      writePosition(chunk, used + POS_AT, one.streamGenerations[i] as number, one.seqs[i] as number);
      used += ROW_BYTES;
    }
  }
  yield chunk.subarray(0, used);
  yield TRAILER;
}

/** The bytes that all rows of a series share, with the fields' lengths. */
function rowTemplate(series: Series): Buffer {
  const row = Buffer.alloc(ROW_BYTES);
  let at = row.writeInt16BE(6, 0);
  for (const uuid of [series.tenantId, series.vmId]) {
    at = row.writeInt32BE(16, at);
    at += row.write(uuid.replaceAll('-', ''), at, 16, 'hex');
  }
  at = row.writeInt32BE(4, at);
  at = row.writeInt32BE(series.metricId, at);
  for (let field = 0; field < 3; field++) at = row.writeInt32BE(8, at) + 8;
  return row;
}

function writeInt64(target: Buffer, at: number, value: number): void {
  target.writeInt32BE(Math.floor(value / TWO_32), at);
  target.writeUInt32BE(((value % TWO_32) + TWO_32) % TWO_32, at + 4);
}

/** streamGeneration * 2^48 + seq, which does not fit a double. */
function writePosition(target: Buffer, at: number, streamGeneration: number, seq: number): void {
  target.writeInt16BE(streamGeneration, at);
  target.writeUInt16BE(Math.floor(seq / TWO_32), at + 2);
  target.writeUInt32BE(seq % TWO_32, at + 4);
}

/** The position of a point as a decimal text, for statements other than COPY. */
export function positionOf(streamGeneration: number, seq: number): string {
  return String((BigInt(streamGeneration) << 48n) | BigInt(seq));
}
