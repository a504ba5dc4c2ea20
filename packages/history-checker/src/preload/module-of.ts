import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '@novacron/local-stack/config';

/** The built module of a package that the program itself will load, so that changes of its classes take effect there. */
export function moduleOf(name: string, file: string): Promise<unknown> {
  return import(pathToFileURL(join(repositoryRoot, 'packages', name, 'dist', file)).href);
}
