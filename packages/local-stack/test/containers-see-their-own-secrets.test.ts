import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisPassword } from '@novacron/provisioning/redis-users';
import { composeFiles, userEnvironment } from '../src/compose/files.js';
import { repositoryRoot } from '../src/config.js';
import { agentHosts, ensureDefaultAgents, listAgents, type Agent } from '../src/home/agents.js';
import { loadSecrets, type Secrets } from '../src/home/secrets.js';
import { layout } from '../src/layout.js';
import { requireProgram } from '../src/servers/programs.js';

let home: string;
let secrets: Secrets;
let files: ReturnType<typeof composeFiles>;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'novacron-compose-'));
  const paths = layout(home);
  secrets = loadSecrets(paths);
  mkdirSync(paths.agents, { recursive: true });
  ensureDefaultAgents(paths, { qemu: false, simulatedHosts: 20 });
  const agent = listAgents(paths).find(({ name }) => name === 'host-agent-sim') as Agent;
  files = composeFiles(secrets, agent, agentHosts(paths, agent.name));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** StoredKey and ServerKey of RFC 5802, as Postgres stores them. */
function scramKeys(password: string, salt: Buffer): string {
  const salted = pbkdf2Sync(password, salt, 4096, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `${storedKey}:${hmac('Server Key').toString('base64')}`;
}

/** The volumes whose files contain a secret. */
function volumesWith(secret: string): string[] {
  return Object.entries(files)
    .filter(([, own]) => Object.values(own).some((text) => text.includes(secret)))
    .map(([volume]) => volume)
    .sort();
}

describe('the configuration volumes of compose', () => {
  it('contain the approved hosts for the orchestrator, without their passwords', () => {
    const hosts = JSON.parse(files['agent']?.['hosts.json'] ?? '[]') as Record<string, string>[];
    const approved = files['orchestrator']?.['approved-hosts.json'] ?? '[]';
    expect(JSON.parse(approved)).toEqual(
      hosts.map(({ hostId, capacity }) => ({
        hostId,
        zone: 'sim',
        driver: 'simulated',
        labels: {},
        capacity,
      })),
    );
    for (const { natsPassword } of hosts) expect(approved).not.toContain(natsPassword);
  });

  it('contain for each container only its own secrets', () => {
    const { roles, nats, redis } = secrets;
    expect(volumesWith(roles.orchestrator.owner)).toEqual(['migrate']);
    expect(volumesWith(roles.orchestrator.api)).toEqual(['orchestrator']);
    expect(volumesWith(roles.gateway.sys)).toEqual(['gateway', 'seed']);
    expect(volumesWith(secrets.postgresAdmin)).toEqual(['postgres']);
    expect(volumesWith(secrets.postgresReplication)).toEqual(['replica']);
    expect(volumesWith(nats.metrics)).toEqual(['metrics', 'nats']);
    expect(volumesWith(nats.admin)).toEqual(['nats']);
    expect(volumesWith(redis)).toEqual(['redis']);
    expect(volumesWith(redisPassword(redis, 'cache'))).toEqual(['cache']);
    expect(volumesWith(redisPassword(redis, 'gateway'))).toEqual(['gateway']);
    expect(volumesWith(secrets.tokenHashKey)).toEqual(['gateway', 'seed']);
    expect(volumesWith(secrets.consistencyKey)).toEqual(['gateway']);
    expect(volumesWith(secrets.token)).toEqual(['seed']);
    expect(volumesWith(secrets.operatorToken)).toEqual(['seed']);
  });

  it('are each mounted in docker-compose.yml', () => {
    const compose = readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8');
    for (const volume of Object.keys(files)) {
      expect(compose).toContain(`config-${volume}:/config/${volume}`);
      expect(compose).toContain(`config-${volume}:/config:ro`);
    }
  });

  it('contain a nats.conf that nats-server accepts, with a user for each host', () => {
    const text = files['nats']?.['nats.conf'] ?? '';
    expect(text.match(/user: "host-/g)).toHaveLength(20);
    const server = requireProgram('nats-server');
    const version = execFileSync(server, ['--version'], { encoding: 'utf8' });
    const known = / v2\.[0-9]\./.test(version) ? text.replace(/.*sync_interval.*\n/, '') : text;
    const file = join(home, 'nats.conf');
    writeFileSync(file, known);
    expect(() => execFileSync(server, ['-t', '-c', file], { stdio: 'pipe' })).not.toThrow();
  });

  it('contain verifiers of the Postgres roles, which node and a shell read alike', () => {
    const name = 'NOVACRON_PG_CACHE_SYS_PASSWORD';
    const text = files['postgres']?.['bootstrap.env'] ?? '';
    const file = join(home, 'bootstrap.env');
    writeFileSync(file, text);
    const program = `process.stdout.write(process.env.${name})`;
    const byNode = execFileSync(process.execPath, [`--env-file=${file}`, '-e', program], { env: {} });
    const byShell = execFileSync('sh', ['-c', `. "$1"; printf %s "$${name}"`, 'sh', file]);
    const [, salt, keys] = /^SCRAM-SHA-256\$4096:([^$]+)\$(.+)$/.exec(String(byNode)) ?? [];
    const password = secrets.roles.cache.sys;
    expect(keys).toBe(scramKeys(password, Buffer.from(salt ?? '', 'base64')));
    expect(String(byShell)).toBe(String(byNode));
  });

  it('give a user the URL, and the addresses of published servers only', () => {
    const text = userEnvironment(secrets, { url: 'http://127.0.0.1:8080' });
    expect(text).toContain(`export NOVACRON_TOKEN='${secrets.token}'\n`);
    expect(text).not.toContain(secrets.postgresAdmin);
    expect(userEnvironment(secrets, { url: 'http://h', postgres: '127.0.0.1:1' })).toContain(
      secrets.postgresAdmin,
    );
  });
});
