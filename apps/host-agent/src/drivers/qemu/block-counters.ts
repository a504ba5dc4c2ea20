import { z } from 'zod';

const BlockStats = z.array(z.object({ stats: z.object({ rd_bytes: z.number(), wr_bytes: z.number() }) }));

/** Bytes that the guest read and wrote on all its disks, from QMP `query-blockstats`. */
export function readBlockCounters(answer: unknown): { read: number; written: number } {
  const disks = BlockStats.parse(answer);
  return {
    read: disks.reduce((sum, { stats }) => sum + stats.rd_bytes, 0),
    written: disks.reduce((sum, { stats }) => sum + stats.wr_bytes, 0),
  };
}
