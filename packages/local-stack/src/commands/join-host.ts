import { Name, ZoneName } from '@novacron/contracts/common';
import type { StackConfig } from '../config.js';
import {
  agentHosts,
  type Driver,
  ensureAgent,
  hostsFile,
  listAgents,
  type NewAgent,
} from '../home/agents.js';
import { currentPorts } from '../home/ports.js';
import { loadSecrets } from '../home/secrets.js';
import { runningStack } from '../home/status.js';
import { wholeTopology } from '../home/topology.js';
import { layout } from '../layout.js';
import { StackError } from '../stack-error.js';
import { agentOwnEnv } from '../stack/environment.js';
import { waitForComponent } from './stack-commands.js';

export interface JoinOptions {
  readonly driver: Driver;
  readonly zone: string;
  readonly hosts: number;
  /** also print the settings of an agent on another machine */
  readonly print: boolean;
}

/** Leaves space for the number: hosts of one agent are `NAME-01`, … */
const LONGEST_NAME = 50;

/** Gives a new host its id and its NATS user. A running stack starts its agent at once. */
export async function joinHost(config: StackConfig, name: string, options: JoinOptions): Promise<void> {
  refuseIllegalNames(name, options.zone);
  const paths = layout(config.home);
  const stack = runningStack(paths);
  const { driver, zone, hosts } = options;
  const agent: NewAgent = { name: `host-agent-${name}`, driver, zone, hosts };
  if (!ensureAgent(paths, agent))
    throw new StackError(`host ${name} has joined already`, 'Choose another name');
  if (options.print) printForOtherMachine(config, agent.name);
  if (stack === undefined) {
    process.stderr.write(`host ${name} joins zone ${zone} at the next npm start\n`);
    return;
  }
  process.kill(stack, 'SIGUSR2');
  const found = await waitForComponent(paths, agent.name, 60_000);
  if (found?.state !== 'running') {
    throw new StackError(`host ${name} did not start`, `Its log: npm run stack -- logs ${agent.name}`);
  }
  process.stderr.write(`host ${name} runs in zone ${zone} (${driver}, process ${found.pid})\n`);
}

/** Names become part of NATS subjects. @throws StackError before anything is written */
function refuseIllegalNames(name: string, zone: string): void {
  if (!Name.safeParse(name).success || name.length > LONGEST_NAME) {
    throw new StackError(
      `${JSON.stringify(name)} is not a host name`,
      `Lower-case letters, digits and hyphens, at most ${LONGEST_NAME}`,
    );
  }
  if (!ZoneName.safeParse(zone).success) {
    throw new StackError(
      `${JSON.stringify(zone)} is not a zone name`,
      'Letters, digits, dots, _ and -, at most 63, with a letter or digit at both ends',
    );
  }
}

function printForOtherMachine(config: StackConfig, agentName: string): void {
  const paths = layout(config.home);
  const settings = {
    paths,
    config: { ...config, httpHost: '127.0.0.1' },
    secrets: loadSecrets(paths),
    ports: currentPorts(paths),
    topology: wholeTopology(paths),
  };
  const agent = listAgents(paths).find((one) => one.name === agentName);
  if (!agent) throw new StackError(`${agentName} is missing`);
  const env = { ...agentOwnEnv(settings, agent), NOVACRON_OPS_PORT: '9104' };
  const lines = Object.entries(env).map(([key, value]) => `export ${key}='${value}'`);
  process.stdout.write(
    [
      `# On the other machine: this file as ${hostsFile(paths, agentName)}, mode 0600:`,
      ...JSON.stringify(agentHosts(paths, agentName), null, 2)
        .split('\n')
        .map((line) => `#   ${line}`),
      `# NATS listens on this machine's loopback: ssh -L ${settings.ports.nats}:127.0.0.1:${settings.ports.nats} THIS-MACHINE`,
      ...lines,
      '# then: node apps/host-agent/dist/main.js',
      '',
    ].join('\n'),
  );
}
