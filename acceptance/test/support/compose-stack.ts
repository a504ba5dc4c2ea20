import { execFile, execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import type { Component, RunningStack } from '@novacron/testkit/running-stack';
import { composeEnvironment } from './compose-settings.js';

interface Inspected {
  readonly Name: string;
  readonly Config: { readonly Labels: Readonly<Record<string, string>>; readonly User: string };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
    readonly Memory: number;
    readonly PidsLimit: number | null;
  };
  readonly State: {
    readonly Status: string;
    readonly Pid: number;
    readonly Health?: { readonly Status: string };
  };
}

/** Containers whose component has another name in the local stack. Tests use the local stack's names. */
const LOCAL_NAMES: Readonly<Record<string, string>> = {
  'gateway-1': 'gateway',
  'host-agent': 'host-agent-sim',
};

/** The running containers of a compose project of this machine as a stack for tests. */
export class ComposeStack implements RunningStack {
  readonly gateways = 2;
  /** Tokens of the test's tenants. */
  private readonly tokens: string[] = [];

  private constructor(
    private readonly project: string,
    private readonly variables: Record<string, string>,
  ) {}

  /** Attaches with a new tenant, so that the test is separate from other data. */
  static async attach(project: string): Promise<ComposeStack> {
    const tenantId = randomUUID();
    const own = {
      NOVACRON_TENANT_ID: tenantId,
      NOVACRON_TOKEN: randomBytes(32).toString('hex'),
      NOVACRON_OPERATOR_TOKEN: randomBytes(32).toString('hex'),
    };
    const stack = new ComposeStack(project, { ...composeEnvironment(), ...own });
    const names = stack.components().map(({ name }) => name);
    if (!names.includes('nginx')) throw new Error(`no containers of the compose project ${project} run`);
    await stack.seed({
      NOVACRON_SEED_TENANT_ID: tenantId,
      NOVACRON_SEED_TENANT_NAME: `test-${tenantId}`,
      NOVACRON_SEED_TOKEN: own.NOVACRON_TOKEN,
      NOVACRON_SEED_OPERATOR_TOKEN: own.NOVACRON_OPERATOR_TOKEN,
    });
    return stack;
  }

  get url(): string {
    return this.variable('NOVACRON_URL');
  }

  get token(): string {
    return this.variable('NOVACRON_TOKEN');
  }

  get operatorToken(): string {
    return this.variable('NOVACRON_OPERATOR_TOKEN');
  }

  env(): Record<string, string> {
    return this.variables;
  }

  private variable(name: string): string {
    const value = this.variables[name];
    if (value === undefined) throw new Error(`${name} is missing: run npm run compose -- test`);
    return value;
  }

  private inspect(): Inspected[] {
    const filter = `label=com.docker.compose.project=${this.project}`;
    const ids = docker('ps', '--all', '--quiet', '--filter', filter).split('\n').filter(Boolean);
    return ids.length === 0 ? [] : (JSON.parse(docker('inspect', ...ids)) as Inspected[]);
  }

  /** Rights of containers that they do not need. Empty when all are confined. `init` has to be root. */
  unconfined(): string[] {
    return this.inspect().flatMap((container) => {
      const { ReadonlyRootfs, CapDrop, SecurityOpt, Memory, PidsLimit } = container.HostConfig;
      const name = serviceOf(container);
      const root = ['', '0', 'root', '0:0'].includes(container.Config.User);
      return [
        ...(ReadonlyRootfs ? [] : [`${name} may write to its root`]),
        ...(CapDrop?.includes('ALL') ? [] : [`${name} has capabilities`]),
        ...(SecurityOpt?.some((option) => option.startsWith('no-new-privileges'))
          ? []
          : [`${name} may rise`]),
        ...(Memory > 0 && (PidsLimit ?? 0) > 0 ? [] : [`${name} has no limits`]),
        ...(root && name !== 'init' ? [`${name} is root`] : []),
      ];
    });
  }

  /** The containers that run without limit. Those of one-time jobs have ended. */
  components(): Component[] {
    return this.inspect()
      .filter(({ State: { Health } }) => Health !== undefined && Health.Status !== 'none')
      .map((container) => {
        const { Status, Health, Pid } = container.State;
        const state = Health?.Status === 'healthy' ? Status : `${Status}, ${Health?.Status}`;
        const service = serviceOf(container);
        return { name: LOCAL_NAMES[service] ?? service, state, pid: Pid };
      });
  }

  pid(name: string): number | undefined {
    const pid = this.components().find((component) => component.name === name)?.pid;
    return pid === undefined || pid === 0 ? undefined : pid;
  }

  async seed(variables: Readonly<Record<string, string>>): Promise<void> {
    this.tokens.push(variables['NOVACRON_SEED_TOKEN'] ?? '');
    const gateway = this.inspect().find((container) => serviceOf(container) === 'gateway-1');
    if (gateway === undefined) throw new Error('gateway-1 does not run');
    const settings = Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    const command = ['node', '--env-file=/config/service.env', 'dist/seed.js'];
    await promisify(execFile)('docker', ['exec', ...settings, gateway.Name, ...command]);
  }

  /** Removes the test's VMs. The containers keep running. */
  async remove(): Promise<void> {
    for (const token of this.tokens) await this.removeVms({ authorization: `Bearer ${token}` });
  }

  private async removeVms(headers: Readonly<Record<string, string>>): Promise<void> {
    for (let left = -1; left !== 0;) {
      const list = await fetch(`${this.url}/api/v1/vms?limit=500`, { headers });
      const { items } = (await list.json()) as { items: readonly { readonly id: string }[] };
      for (const { id } of items) await fetch(`${this.url}/api/v1/vms/${id}`, { method: 'DELETE', headers });
      left = items.length;
    }
  }
}

function serviceOf({ Config }: Inspected): string {
  return Config.Labels['com.docker.compose.service'] ?? '';
}

function docker(...args: string[]): string {
  return execFileSync('docker', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}
