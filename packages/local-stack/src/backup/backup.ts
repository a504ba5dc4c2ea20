import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { StackConfig } from '../config.js';
import { currentPorts } from '../home/ports.js';
import { loadSecrets } from '../home/secrets.js';
import { runningStack } from '../home/status.js';
import { wholeTopology } from '../home/topology.js';
import { database, layout } from '../layout.js';
import { phase } from '../phase.js';
import { StackError } from '../stack-error.js';
import { dump } from './dump-file.js';

/** Writes the database of the running stack to `file`. The file appears when it is complete, and only its owner can read it. */
export async function backup(config: StackConfig, wanted: string): Promise<void> {
  const paths = layout(config.home);
  const file = resolve(wanted);
  if (runningStack(paths) === undefined)
    throw new StackError(`NovaCron does not run in ${paths.home}`, 'Start it: npm start');
  if (existsSync(file)) throw new StackError(`${file} exists`, 'Give the backup a new name');
  if (!existsSync(dirname(file))) throw new StackError(`${dirname(file)} does not exist`);
  const { primary } = wholeTopology(paths);
  const server = { port: currentPorts(paths)[primary], adminPassword: loadSecrets(paths).postgresAdmin };
  const partial = `${file}.partial`;
  try {
    writable(partial);
    await phase(`backing up ${primary}`, () => dump(server, database, partial));
    closeSync(syncedFile(partial));
    renameSync(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    if (error instanceof StackError) throw error;
    throw new StackError(`the backup failed: ${(error as Error).message}`, undefined, { cause: error });
  }
  const megabytes = (statSync(file).size / 1e6).toFixed(1);
  process.stderr.write(
    `${file}: ${megabytes} MB. It needs ${paths.secrets} and ${paths.agents} beside it: keep copies of both, elsewhere\n`,
  );
}

/** Created with mode 0600 before the first byte is written, because a backup contains hashes of tokens. */
function writable(file: string): void {
  closeSync(openSync(file, 'w', 0o600));
}

function syncedFile(file: string): number {
  const opened = openSync(file, 'r+');
  fsyncSync(opened);
  return opened;
}
