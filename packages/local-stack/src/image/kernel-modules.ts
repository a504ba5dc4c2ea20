import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

export interface KernelModule {
  readonly name: string;
  readonly data: Buffer;
}

const moduleFile = /^(.+)\.ko(\.xz|\.zst)?$/;

function moduleName(file: string): string | undefined {
  return moduleFile.exec(basename(file))?.[1]?.replaceAll('-', '_');
}

function read(file: string, busybox: string): Buffer {
  if (file.endsWith('.zst')) return zstdDecompressSync(readFileSync(file));
  if (file.endsWith('.xz')) return execFileSync(busybox, ['xzcat', file], { maxBuffer: 64 * 1024 * 1024 });
  return readFileSync(file);
}

function dependsOn(data: Buffer): string[] {
  const list = /(?:^|\0)depends=([^\0]*)\0/.exec(data.toString('latin1'))?.[1] ?? '';
  return list
    .split(',')
    .filter(Boolean)
    .map((name) => name.replaceAll('-', '_'));
}

/** The wanted modules below `directory` and their dependencies, in loading order. Skips modules that are built into the kernel. */
export function modulesInLoadingOrder(
  directory: string,
  wanted: readonly string[],
  busybox: string,
): KernelModule[] {
  const files = new Map<string, string>();
  for (const entry of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const name = moduleName(entry);
    if (name) files.set(name, join(directory, entry));
  }
  const loaded = new Map<string, KernelModule>();
  const load = (name: string): void => {
    const file = files.get(name);
    if (!file || loaded.has(name)) return;
    const data = read(file, busybox);
    for (const dependency of dependsOn(data)) load(dependency);
    loaded.set(name, { name, data });
  };
  for (const name of wanted) load(name);
  return [...loaded.values()];
}
