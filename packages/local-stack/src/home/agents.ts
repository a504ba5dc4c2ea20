import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { hostUser, type NatsUser } from '@novacron/provisioning/nats-permissions';
import { uuidv7 } from 'uuidv7';
import type { Layout } from '../layout.js';
import { StackError } from '../stack-error.js';
import { readStateFile, writeStateFile } from '../state-file.js';
import { opsPorts } from './ports.js';
import { newSecret } from './secrets.js';

export const drivers = ['simulated', 'qemu'] as const;
export type Driver = (typeof drivers)[number];

/** cpu in cores, memory in MiB, disk in GiB */
export interface Capacity {
  readonly cpu: number;
  readonly memory: number;
  readonly disk: number;
}

/** One host of an agent, as the agent reads it from NOVACRON_AGENT_HOSTS. */
export interface AgentHost {
  readonly hostId: string;
  readonly name: string;
  readonly natsUser: string;
  readonly natsPassword: string;
  readonly capacity?: Capacity;
  readonly labels?: Readonly<Record<string, string>>;
}

/** One host-agent process of this stack. */
export interface Agent {
  /** component name, `host-agent-…` */
  readonly name: string;
  readonly driver: Driver;
  readonly zone: string;
  /** before the offset */
  readonly opsPort: number;
}

export interface NewAgent {
  readonly name: string;
  readonly driver: Driver;
  readonly zone: string;
  readonly hosts: number;
  readonly capacity?: Capacity;
}

export const agentDirectory = (paths: Layout, name: string) => join(paths.agents, name);
export const hostsFile = (paths: Layout, name: string) => join(paths.agents, name, 'hosts.json');
const agentFile = (paths: Layout, name: string) => join(paths.agents, name, 'agent.json');

/** All agents of this home, sorted by name. */
export function listAgents(paths: Layout): Agent[] {
  if (!existsSync(paths.agents)) return [];
  return readdirSync(paths.agents)
    .filter((name) => existsSync(agentFile(paths, name)))
    .sort()
    .map((name) => readStateFile(agentFile(paths, name)) as Agent);
}

/** The hosts of one agent, with their NATS passwords. */
export function agentHosts(paths: Layout, name: string): AgentHost[] {
  const hosts = readStateFile(hostsFile(paths, name));
  if (!Array.isArray(hosts)) {
    throw new StackError(
      `${hostsFile(paths, name)} is missing or not a list`,
      'Discard all state: npm run stack -- reset',
    );
  }
  return hosts as AgentHost[];
}

/** The operator's list of approved hosts in the orchestrator's format: the attributes that each may register with. */
export function approvedHosts(agent: Agent, hosts: readonly AgentHost[]): object[] {
  const { zone, driver } = agent;
  return hosts.map(({ hostId, capacity, labels = {} }) => ({
    hostId,
    zone,
    driver,
    labels,
    ...(capacity ? { capacity } : {}),
  }));
}

export const approvedHostsFile = (paths: Layout) => join(paths.agents, 'approved-hosts.json');

/** Rewrites the list of approved hosts. A running orchestrator reads it after a change. */
export function writeApprovedHosts(paths: Layout): void {
  const hosts = listAgents(paths).flatMap((agent) => approvedHosts(agent, agentHosts(paths, agent.name)));
  writeStateFile(approvedHostsFile(paths), hosts);
}

/** The NATS users of all hosts of this home. */
export function hostUsers(paths: Layout): NatsUser[] {
  return listAgents(paths)
    .flatMap((agent) => agentHosts(paths, agent.name))
    .map((host) => hostUser(host.hostId, host.natsPassword));
}

function hostName(agent: NewAgent, index: number): string {
  const short = agent.name.replace(/^host-agent-/, '');
  if (short === 'local')
    return (
      hostname()
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, '-')
        .slice(0, 50)
        .replaceAll(/^-|-$/g, '') || 'local'
    );
  return agent.hosts === 1 ? short : `${short}-${String(index + 1).padStart(2, '0')}`;
}

function nextOpsPort(paths: Layout, name: string): number {
  const fixed: Partial<Record<string, number>> = opsPorts;
  const highest = Math.max(9105, ...listAgents(paths).map((agent) => agent.opsPort));
  return fixed[name] ?? highest + 1;
}

/** Writes a new agent with its hosts, ids and passwords. Does nothing when the agent exists. @returns whether it is new */
export function ensureAgent(paths: Layout, agent: NewAgent): boolean {
  if (existsSync(agentFile(paths, agent.name))) return false;
  mkdirSync(agentDirectory(paths, agent.name), { recursive: true, mode: 0o700 });
  const hosts: AgentHost[] = Array.from({ length: agent.hosts }, (_, index) => {
    const hostId = uuidv7();
    const login = { natsUser: `host-${hostId}`, natsPassword: newSecret(24) };
    return {
      hostId,
      name: hostName(agent, index),
      ...login,
      ...(agent.capacity ? { capacity: agent.capacity } : {}),
    };
  });
  const { name, driver, zone } = agent;
  writeStateFile(hostsFile(paths, name), hosts);
  writeStateFile(agentFile(paths, name), {
    name,
    driver,
    zone,
    opsPort: nextOpsPort(paths, name),
  } satisfies Agent);
  writeApprovedHosts(paths);
  return true;
}

// 512 VMs of the guide's size (2 cpu, 4096 MiB, 50 GiB) on each of 20 hosts, so 10,000 VMs fit.
const simulatedCapacity: Capacity = { cpu: 1024, memory: 2_097_152, disk: 25_600 };

/** Removes an agent from the lists of agents and of approved hosts. Its folder stays until its process has ended. */
export function forgetAgent(paths: Layout, name: string): void {
  rmSync(agentFile(paths, name), { force: true });
  writeApprovedHosts(paths);
}

/** Reverts {@link forgetAgent}. */
export function rememberAgent(paths: Layout, agent: Agent): void {
  writeStateFile(agentFile(paths, agent.name), agent);
  writeApprovedHosts(paths);
}

/** Creates the default hosts: this machine in zone `local`, and simulated ones in zone `sim`. */
export function ensureDefaultAgents(paths: Layout, options: { qemu: boolean; simulatedHosts: number }): void {
  if (options.qemu) ensureAgent(paths, { name: 'host-agent-local', driver: 'qemu', zone: 'local', hosts: 1 });
  const capacity = simulatedCapacity;
  ensureAgent(paths, {
    name: 'host-agent-sim',
    driver: 'simulated',
    zone: 'sim',
    hosts: options.simulatedHosts,
    capacity,
  });
  // Homes of earlier versions have no list.
  writeApprovedHosts(paths);
}
