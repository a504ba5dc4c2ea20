import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '@novacron/local-stack/config';

/** A built module of a package, the very one that the program will load: changes of its classes are changes there. */
export function moduleOf(name: string, file: string): Promise<unknown> {
  return import(pathToFileURL(join(repositoryRoot, 'packages', name, 'dist', file)).href);
}
