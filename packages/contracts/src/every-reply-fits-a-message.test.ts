import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { RpcContract } from './envelope.js';
import { largest, largestItem } from './largest.harness.js';
import { Host } from './infrastructure.js';
import { Job } from './jobs.js';
import { REPLY_BYTES } from './reply-size.js';
import { Vm } from './vms.js';

const folder = new URL('.', import.meta.url);
const modules = readdirSync(folder).filter((name) => /^[a-z-]+\.ts$/.test(name));
/** A function that makes a contract for a service. */
const isMaker = (name: string, value: unknown) => name.endsWith('Rpc') && typeof value === 'function';
const isContract = (value: unknown): value is RpcContract =>
  typeof value === 'object' && value !== null && 'subject' in value && 'reply' in value;

const contracts: RpcContract[] = [];
let definitions = 0;
for (const name of modules) {
  if (name !== 'envelope.ts')
    definitions += readFileSync(new URL(name, folder), 'utf8').split(' defineRpc(').length - 1;
  const exported = (await import(`./${name.replace('.ts', '.js')}`)) as Record<string, unknown>;
  for (const [as, value] of Object.entries(exported)) {
    if (as === 'defineRpc') continue;
    const found = isMaker(as, value)
      ? [(value as (of: string) => unknown)('any')]
      : [value, ...inside(value)];
    contracts.push(...found.filter(isContract));
  }
}

function inside(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null ? Object.values(value) : [];
}

/** The largest resource in an event. */
const data = () => [Vm, Job, Host].map((schema) => largest(schema)).sort((a, b) => size(b) - size(a))[0];
const size = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const named = (of: RpcContract['size']) =>
  contracts
    .filter((contract) => contract.size === of)
    .map((contract) => [contract.subject, contract] as const);

describe('the reply of every RPC', () => {
  it('is among the contracts of this test', () => {
    expect(definitions).toBeGreaterThan(20);
    expect(new Set(contracts.map(({ subject }) => subject)).size).toBe(definitions);
  });

  it.each(named('bounded'))('%s fits one message at its largest legal size', (_, contract) => {
    const reply = largest(contract.reply);
    contract.reply.parse(reply);
    expect(size(reply)).toBeLessThanOrEqual(REPLY_BYTES);
  });

  it.each(named('paged'))('%s fits one message with its largest legal item alone', (_, contract) => {
    expect(size(largestItem(contract.reply, data))).toBeLessThanOrEqual(REPLY_BYTES - 4_096);
  });

  it('may be refused as too large only for these contracts', () => {
    // Statistics for operators, and a range whose points the metrics service counts before it reads them.
    expect(named('refused').map(([subject]) => subject)).toEqual([
      'rpc.cache.stats.get',
      'rpc.cache.warm.run',
      'rpc.metrics.series.range',
      'rpc.any.replication.get',
    ]);
  });
});
