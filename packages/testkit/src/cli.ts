import { phase } from '@novacron/local-stack/phase';
import { ensureServers } from '@novacron/local-stack/servers/install';
import { StackError } from '@novacron/local-stack/stack-error';
import { TestCluster } from './test-cluster.js';
import { sweepPrivateDirectories, testsAreRunning } from './test-home.js';

/** `start` installs the servers and starts the shared test cluster. `stop` ends everything. */
async function main(command: string | undefined): Promise<void> {
  if (command === 'start') {
    const warning = await ensureServers(phase, { qemu: true, balancers: true });
    if (warning) process.stderr.write(`${warning}\n`);
    await phase('test servers', () => TestCluster.shared({ replica: true }));
  } else if (command === 'stop') {
    await sweepPrivateDirectories();
    if (testsAreRunning()) return; // another test run still needs the cluster, and ends it later
    await (await TestCluster.sharedIfRunning())?.stop();
  } else {
    process.stderr.write('usage: cli.js start|stop   the servers that all test files share\n');
    process.exitCode = 2;
  }
}

main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(
    `novacron: ${error instanceof StackError ? error.message : String((error as Error).stack)}\n`,
  );
  process.exitCode = 1;
});
