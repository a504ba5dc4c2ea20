import { rmSync } from 'node:fs';
import type { StackConfig } from '../config.js';
import { agentDirectory, agentHosts, forgetAgent, listAgents, rememberAgent } from '../home/agents.js';
import { loadSecrets } from '../home/secrets.js';
import { readStatus, runningStack } from '../home/status.js';
import { layout } from '../layout.js';
import { StackError } from '../stack-error.js';
import { waitUntil } from '../supervisor/processes.js';

/** Each start creates them again. */
const DEFAULT_AGENTS = ['host-agent-local', 'host-agent-sim'];
const ENDED_WITHIN_MS = 60_000;

/**
 * Removes an empty host for good: from the control plane, then its agent, its NATS user and its state.
 * @throws StackError when the host does not exist, when the stack does not run, or while the host has VMs
 */
export async function leaveHost(config: StackConfig, name: string): Promise<void> {
  const paths = layout(config.home);
  const agent = listAgents(paths).find((one) => one.name === `host-agent-${name}`);
  if (!agent) throw new StackError(`host ${name} has not joined`, 'npm run stack -- status shows the agents');
  if (DEFAULT_AGENTS.includes(agent.name))
    throw new StackError(`host ${name} belongs to every stack`, 'Start without it: --no-qemu, --sim-hosts');
  const stack = runningStack(paths);
  const url = readStatus(paths)?.url;
  if (stack === undefined || url === undefined)
    throw new StackError(`NovaCron does not run in ${paths.home}`, 'Start it: npm start');

  const hosts = agentHosts(paths, agent.name);
  // First off the list, so that a removed host whose agent still runs cannot register again.
  forgetAgent(paths, agent.name);
  try {
    for (const { hostId } of hosts) await removeHost(url, loadSecrets(paths).operatorToken, hostId);
  } catch (error) {
    rememberAgent(paths, agent);
    throw error;
  }
  process.kill(stack, 'SIGUSR2');
  const ended = () =>
    readStatus(paths)?.components.every((component) => component.name !== agent.name) ?? true;
  if (!(await waitUntil(async () => ended(), ENDED_WITHIN_MS)))
    throw new StackError(`${agent.name} does not end`, `Its log: npm run stack -- logs ${agent.name}`);
  rmSync(agentDirectory(paths, agent.name), { recursive: true, force: true });
  process.stderr.write(`host ${name} has left\n`);
}

/** Removes a host from the control plane. A 404 means that it has left already. */
async function removeHost(url: string, token: string, hostId: string): Promise<void> {
  const host = `${url}/api/v1/hosts/${hostId}`;
  const answer = await fetch(host, { method: 'DELETE', headers: { Authorization: `Bearer ${token}` } });
  if (answer.ok || answer.status === 404) return;
  const { detail } = (await answer.json().catch(() => ({}))) as { detail?: string };
  throw new StackError(
    detail ?? `the gateway answered ${answer.status}`,
    `curl -X POST ${host}/actions/drain -H "Authorization: Bearer $NOVACRON_OPERATOR_TOKEN" ` +
      `-H 'Content-Type: application/json' -d '{"mode":"stop"}'`,
  );
}
