import { createHash } from 'node:crypto';

/** A Lua script: sent by its hash, and by its text only to a server that does not know it yet. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export function scriptOf(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
