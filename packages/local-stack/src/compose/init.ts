import { chownSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentHosts, ensureDefaultAgents, listAgents } from '../home/agents.js';
import { loadSecrets } from '../home/secrets.js';
import { layout } from '../layout.js';
import { StackError } from '../stack-error.js';
import { composeFiles, userEnvironment } from './files.js';

/*
 * The service `init` of docker-compose.yml. `node dist/compose/init.js` creates the secrets when they are missing, and
 * writes each container's files into its volume below /config. `… env URL` prints the shell exports for a user.
 */

const STATE = '/state';
const CONFIG = '/config';
const AGENT = 'host-agent-sim';
const SIMULATED_HOSTS = 20;
const REPAIR = 'Restore the volume, or discard all state: docker compose down --volumes';
/** NATS runs as a uid without a user in its image, so it needs a data directory with that owner. */
const NATS_DATA = { directory: '/data/nats', uid: 1000 };

function writeAll(directory: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    // Readable for all users, because each image has another uid. Access is limited by who mounts the volume.
    writeFileSync(join(directory, `${name}.new`), text, { mode: 0o444 });
    renameSync(join(directory, `${name}.new`), join(directory, name));
  }
}

function main(command: string | undefined): void {
  const paths = layout(STATE);
  const secrets = loadSecrets(paths, REPAIR);
  if (command === 'env') {
    const [url = 'http://127.0.0.1:8080', postgres, nats] = process.argv.slice(3);
    process.stdout.write(userEnvironment(secrets, { url, postgres, nats }));
    return;
  }
  ensureDefaultAgents(paths, { qemu: false, simulatedHosts: SIMULATED_HOSTS });
  const agent = listAgents(paths).find(({ name }) => name === AGENT);
  if (!agent) throw new StackError(`${AGENT} is missing`, REPAIR);
  for (const [name, files] of Object.entries(composeFiles(secrets, agent, agentHosts(paths, AGENT)))) {
    writeAll(join(CONFIG, name), files);
  }
  chownSync(NATS_DATA.directory, NATS_DATA.uid, NATS_DATA.uid);
  process.stdout.write('secrets and configuration are ready\n');
}

try {
  main(process.argv[2]);
} catch (error) {
  const text = error instanceof StackError || !(error instanceof Error) ? error : error.stack;
  process.stderr.write(`init: ${text instanceof Error ? text.message : String(text)}\n`);
  process.exitCode = 1;
}
