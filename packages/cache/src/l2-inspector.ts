import { RedisConnection, type RedisOptions } from '@novacron/redis/connection';
import { scriptOf } from '@novacron/redis/script';
import type { Entry } from './entry.js';
import { decodeEntry } from './l2-value.js';

export interface Inspected {
  readonly tenantId: string;
  readonly type: string;
  readonly id: string;
  readonly entry: Entry;
}

/** ARGV cursor, pattern, keys to look at. → {next cursor, {key, value, …}}; keys with ~ are not entries. */
const SAMPLE = scriptOf(`
local page = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
local found = {}
for _, key in ipairs(page[2]) do
  if not string.find(key, '~', 1, true) then
    local value = redis.call('GET', key)
    if value then found[#found + 1] = key; found[#found + 1] = value end
  end
end
return { page[1], found }
`);

/** → {keys, bytes of memory} */
const SIZE = scriptOf(`
local memory = string.match(redis.call('INFO', 'memory'), 'used_memory:(%d+)')
return { redis.call('DBSIZE'), tonumber(memory) }
`);

/** Reads what L2 holds, for checks and statistics, on a connection of its own. Its methods throw RedisUnavailable. */
export class L2Inspector {
  readonly #redis: RedisConnection;
  #cursor = '0';

  constructor(options: RedisOptions) {
    this.#redis = new RedisConnection(options);
  }

  /** Some entries of the lineage, others at each call, around the whole keyspace. The result may be empty. */
  async sample(lineage: string, count: number): Promise<Inspected[]> {
    const args = [this.#cursor, `${lineage}:*`, String(count)];
    const [cursor, found] = (await this.#redis.run(SAMPLE, [], args)) as [Buffer, Buffer[]];
    this.#cursor = cursor.toString();
    const entries: Inspected[] = [];
    for (let i = 0; i + 1 < found.length; i += 2) {
      const entry = decodeEntry(found[i + 1] as Buffer);
      const [tenantId, type, ...id] = (found[i] as Buffer)
        .toString()
        .slice(lineage.length + 1)
        .split(':');
      if (entry && tenantId !== undefined && type !== undefined) {
        entries.push({ tenantId, type, id: id.join(':'), entry });
      }
    }
    return entries;
  }

  /** Keys of the whole server, tombstones and leases included, and its memory in bytes. */
  async size(): Promise<{ keys: number; bytes: number }> {
    const [keys, bytes] = (await this.#redis.run(SIZE, [], [])) as [number, number];
    return { keys, bytes };
  }

  close(): void {
    this.#redis.close();
  }
}
