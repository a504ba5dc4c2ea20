import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DamagedStateError, Journal } from './journal.js';

describe('a journal', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'novacron-journal-'));
    path = join(folder, 'journal');
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** A map that is stored in a journal. */
  async function openMap(slack?: number) {
    const map = new Map<string, number>();
    const journal = await Journal.open<[string, number]>(path, {
      replay: ([key, value]) => map.set(key, value),
      snapshot: () => map.entries(),
      ...(slack === undefined ? {} : { slack }),
    });
    const set = (key: string, value: number, durable = false) => {
      map.set(key, value);
      return durable ? journal.appendDurable([key, value]) : journal.append([key, value]);
    };
    return { map, journal, set };
  }

  it('returns the appended records when it is opened again', async () => {
    const first = await openMap();
    await Promise.all([first.set('a', 1), first.set('b', 2, true), first.set('a', 3, true)]);
    await first.journal.close();
    expect(await openMap().then(({ map }) => [...map])).toEqual([
      ['a', 3],
      ['b', 2],
    ]);
  });

  it('has written a line when append resolves, without being closed', async () => {
    const { set } = await openMap();
    await set('a', 1);
    expect(await readFile(path, 'utf8')).toBe('["a",1]\n');
  });

  it('truncates a torn last line and continues behind the good ones', async () => {
    const first = await openMap();
    await first.set('a', 1);
    await first.set('b', 2);
    await first.journal.close();
    await truncate(path, (await readFile(path)).length - 3);
    const second = await openMap();
    expect([...second.map]).toEqual([['a', 1]]);
    await second.set('c', 3);
    await second.journal.close();
    expect(await openMap().then(({ map }) => [...map])).toEqual([
      ['a', 1],
      ['c', 3],
    ]);
  });

  it('treats zeros at the end, as after a power loss, as a torn line', async () => {
    await writeFile(path, '["a",1]\n');
    await appendFile(path, Buffer.alloc(4_096));
    expect(await openMap().then(({ map }) => [...map])).toEqual([['a', 1]]);
  });

  it('refuses a file that is damaged in the middle, with one line that names it', async () => {
    await writeFile(path, '["a",1]\n["b",\n["c",3]\n');
    const error = await openMap().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(DamagedStateError);
    expect((error as Error).message).toMatch(/journal is damaged in line 2: .*move it away/);
  });

  it('loses no record when it is compacted during writes', async () => {
    const first = await openMap(50);
    const written = [];
    for (let i = 0; i < 5_000; i++) {
      written.push(first.set(`key-${i % 20}`, i, i % 7 === 0));
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(written);
    await first.journal.close();
    const second = await openMap(50);
    expect([...second.map].sort()).toEqual([...first.map].sort());
    const lines = (await readFile(path, 'utf8')).split('\n').length;
    expect(lines).toBeLessThan(5_000);
  });
});
