import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { aptGet } from '../servers/install.js';
import { StackError } from '../stack-error.js';

const run = promisify(execFile);

async function dependencies(name: string): Promise<string[]> {
  const { stdout } = await run('apt-cache', ['depends', '--no-recommends', '--no-suggests', name]).catch(
    () => ({ stdout: '' }),
  );
  return [...stdout.matchAll(/^\s*Depends: (\S+)$/gm)].flatMap((match) => match[1] ?? []);
}

/** The packages of a kernel and its modules: Debian's cloud kernel, or Ubuntu's virtual one. */
export async function kernelPackages(): Promise<string[]> {
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  for (const meta of [`linux-image-cloud-${arch}`, 'linux-image-virtual', `linux-image-${arch}`]) {
    const image = (await dependencies(meta)).find((name) => /^linux-image-\d/.test(name));
    if (!image) continue;
    const modules = (await dependencies(image)).filter((name) => /^linux-modules-\d/.test(name));
    return [image, ...modules];
  }
  return [];
}

/** Downloads packages with apt and unpacks them into `directory`, without installing them. */
export async function unpackPackages(names: readonly string[], directory: string): Promise<void> {
  const downloads = join(directory, 'packages');
  mkdirSync(downloads, { recursive: true });
  let failure = await aptGet(['download', '-q', ...names], downloads);
  if (failure && process.getuid?.() === 0) {
    await aptGet(['update', '-q']); // the package list may name a version that the mirror has replaced
    failure = await aptGet(['download', '-q', ...names], downloads);
  }
  if (failure)
    throw new StackError(`apt-get download ${names.join(' ')} failed: ${failure}`, 'Run: apt-get update');
  for (const file of readdirSync(downloads).filter((name) => name.endsWith('.deb'))) {
    await run('dpkg-deb', ['-x', join(downloads, file), directory]);
  }
}
