import type { StackConfig } from '../config.js';
import { currentPorts } from '../home/ports.js';
import { loadSecrets } from '../home/secrets.js';
import { readStatus, runningStack } from '../home/status.js';
import { postgresNames, wholeTopology } from '../home/topology.js';
import { layout } from '../layout.js';
import { phase } from '../phase.js';
import { delayReplay, pauseReplay, resumeReplay } from '../servers/postgres-standby.js';
import { StackError } from '../stack-error.js';
import { forgetPromotion, readPromotion, writePromotion } from '../stack/requests.js';
import { waitUntil } from '../supervisor/processes.js';

/** A promotion restarts four services, whose drains may take as long as their starts. */
const PROMOTE_WITHIN_MS = 180_000;

/** Home and pid of the running stack, and the address of this replica. */
function runningReplica(config: StackConfig, name: string) {
  const paths = layout(config.home);
  const pid = runningStack(paths);
  if (pid === undefined)
    throw new StackError(`NovaCron does not run in ${paths.home}`, 'Start it: npm start');
  const running = (readStatus(paths)?.components ?? []).map((component) => component.name);
  const { primary } = wholeTopology(paths);
  const replicas = postgresNames.filter((one) => one !== primary && running.includes(one));
  const found = replicas.find((one) => one === name);
  if (found === undefined) {
    const there =
      replicas.length > 0 ? `There are: ${replicas.join(', ')}` : 'More: npm start -- --replicas 2';
    throw new StackError(`${name} is not a replica of this stack`, there);
  }
  const server = { port: currentPorts(paths)[found], adminPassword: loadSecrets(paths).postgresAdmin };
  return { paths, pid, server };
}

/** Makes a replica show every commit `ms` later, or at once for `null`. */
export async function delayReplica(config: StackConfig, name: string, ms: number | null): Promise<void> {
  await delayReplay(runningReplica(config, name).server, ms);
  process.stderr.write(ms === null ? `${name} is not delayed\n` : `${name} is delayed by ${ms} ms\n`);
}

export async function pauseReplica(config: StackConfig, name: string): Promise<void> {
  await pauseReplay(runningReplica(config, name).server);
  process.stderr.write(`${name} is paused\n`);
}

export async function resumeReplica(config: StackConfig, name: string): Promise<void> {
  await resumeReplay(runningReplica(config, name).server);
  process.stderr.write(`${name} is resumed\n`);
}

/** Requests a promotion from the running stack, and waits until its services run again. */
export async function promote(config: StackConfig, name: string): Promise<void> {
  const { paths, pid } = runningReplica(config, name);
  const before = wholeTopology(paths).primary;
  if (readPromotion(paths)?.state === 'running')
    throw new StackError('a promotion is running', 'Wait for it');
  writePromotion(paths, { name, state: 'asked' });
  process.kill(pid, 'SIGUSR2');
  await phase(`promoting ${name}`, async () => {
    const done = async () => {
      const { state, detail } = readPromotion(paths) ?? { state: 'failed' as const, detail: 'no answer' };
      if (state === 'failed') throw new StackError(`the promotion of ${name} failed: ${detail}`);
      return state === 'done';
    };
    const hasEnded = () => runningStack(paths) === undefined;
    if (!(await waitUntil(done, PROMOTE_WITHIN_MS, hasEnded)))
      throw new StackError(`${name} was not promoted in time`, 'Look: npm run stack -- status');
  });
  forgetPromotion(paths);
  process.stderr.write(
    `${name} is the primary. ${before} is ended for good; its data are in ${paths.data}/${before}\n`,
  );
}
