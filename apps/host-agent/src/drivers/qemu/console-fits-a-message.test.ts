import { afterEach, describe, expect, it } from '@jest/globals';
import type { Command } from '@novacron/contracts/agents';
import { newId, type VmId } from '@novacron/contracts/ids';
import { jsonBytes, REPLY_BYTES } from '@novacron/contracts/reply-size';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { perform } from '../../agent/operations.js';
import type { Driver } from '../driver.js';
import { readConsole } from './console-file.js';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

/** The agent's reply for a console whose file has these bytes. */
async function consoleOf(bytes: Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'novacron-console-'));
  folders.push(folder);
  await writeFile(join(folder, 'console.log'), bytes);
  const driver = { consoleLog: (_: VmId, maxBytes: number) => readConsole(folder, maxBytes) };
  const command = {
    kind: 'console-log',
    maxBytes: 262_144,
    commandId: 'c',
    vmId: newId<VmId>(),
    epoch: 1,
    generation: 1,
    fence: 1,
  } satisfies Command;
  return (await perform(driver as Driver, command, new AbortController().signal)) as string;
}

describe('a console log', () => {
  it.each([
    ['control characters', 0x01],
    ['bytes that are not UTF-8', 0xff],
    ['quotes', 0x22],
  ])('fits one message when it is full of %s', async (_, byte) => {
    const text = await consoleOf(Buffer.concat([Buffer.alloc(400_000, byte), Buffer.from('the end')]));
    expect(jsonBytes(text)).toBeLessThan(REPLY_BYTES);
    expect(text.endsWith('the end')).toBe(true);
    expect(text.length).toBeGreaterThan(100_000);
  });
});
