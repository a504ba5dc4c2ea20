import { describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig } from '@novacron/config/load';
import { settings } from './config.js';
import { HostEntry } from './hosts/hosts-file.js';

const ENV = {
  NOVACRON_OPS_PORT: '0',
  NOVACRON_AGENT_DRIVER: 'simulated',
  NOVACRON_AGENT_ZONE: 'sim',
  NOVACRON_AGENT_HOSTS: 'hosts.json',
  NOVACRON_AGENT_STATE_DIR: 'state',
};
const ILLEGAL = ['eu west', 'eu*', '>', 'eu\nwest', 'zürich', '-eu', 'a'.repeat(64), ''];

/** The variables with mistakes. */
function mistakes(env: Record<string, string>): string[] {
  try {
    loadConfig(settings, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.mistakes.map(({ variable }) => variable);
  }
}

describe('the configuration of a host agent', () => {
  it('accepts zones and images with names that may be in a subject', () => {
    const { agent, simulated } = loadConfig(settings, { ...ENV, NOVACRON_AGENT_SIM_IMAGES: 'a-1.0, b_2' });
    expect(agent.zone).toBe('sim');
    expect(simulated.images).toEqual(['a-1.0', 'b_2']);
    expect(loadConfig(settings, ENV).simulated.images).toContain('ubuntu-22.04');
  });

  it.each(ILLEGAL)('refuses %j as zone and as image', (name) => {
    expect(mistakes({ ...ENV, NOVACRON_AGENT_ZONE: name })).toEqual(['NOVACRON_AGENT_ZONE']);
    expect(mistakes({ ...ENV, NOVACRON_AGENT_SIM_IMAGES: `a,${name}` })).toEqual([
      'NOVACRON_AGENT_SIM_IMAGES',
    ]);
  });
});

describe('a host of the hosts file', () => {
  const host = {
    hostId: '019ac3a0-0000-7000-8000-000000000001',
    name: 'a',
    natsUser: 'host-a',
    natsPassword: 'p',
  };

  it.each(ILLEGAL.slice(0, 4))('is refused with %j as name, id or NATS user', (value) => {
    expect(HostEntry.safeParse(host).success).toBe(true);
    for (const field of ['name', 'hostId', 'natsUser'])
      expect(HostEntry.safeParse({ ...host, [field]: value }).success).toBe(false);
  });
});
