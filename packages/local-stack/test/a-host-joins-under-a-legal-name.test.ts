import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ZoneName } from '@novacron/contracts/common';
import { hostUser } from '@novacron/provisioning/nats-permissions';
import { joinHost } from '../src/commands/join-host.js';
import { loadStackConfig } from '../src/config.js';
import { listAgents } from '../src/home/agents.js';
import { layout } from '../src/layout.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'nc-join-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const ILLEGAL = [
  '',
  ' ',
  'eu west',
  'eu*',
  '>',
  'eu>',
  'eu\nwest',
  'eu\twest',
  'zürich',
  '-eu',
  'a'.repeat(64),
];

function joins(name: string, zone: string): Promise<void> {
  const options = { driver: 'simulated', zone, hosts: 1, print: false } as const;
  return joinHost({ ...loadStackConfig({}), home }, name, options);
}

describe('a host that joins', () => {
  it.each(ILLEGAL)('is refused with zone %j and leaves nothing behind', async (zone) => {
    await expect(joins('x', zone)).rejects.toThrow('is not a zone name');
    expect(existsSync(layout(home).agents)).toBe(false);
  });

  it.each([...ILLEGAL, 'eu.west', 'EU'])('is refused with name %j', async (name) => {
    await expect(joins(name, 'sim')).rejects.toThrow('is not a host name');
  });

  it('is registered with a legal name and zone', async () => {
    await joins('x', 'eu-west.1');
    expect(listAgents(layout(home))).toMatchObject([{ name: 'host-agent-x', zone: 'eu-west.1' }]);
  });
});

describe('the NATS user of a host', () => {
  it.each(['*', '>', 'a.b', ''])('is refused with id %j, which would match other hosts', (id) => {
    expect(() => hostUser(id, 'secret')).toThrow('not a token of a NATS subject');
  });
});

describe("the chart's schema", () => {
  const file = join(import.meta.dirname, '../../../k8s/novacron/values.schema.json');
  const schema = JSON.parse(readFileSync(file, 'utf8')) as {
    definitions: { agent: { properties: { zone: { pattern: string; maxLength: number } } } };
  };
  const { pattern, maxLength } = schema.definitions.agent.properties.zone;
  const accepts = (zone: string) => zone.length <= maxLength && new RegExp(pattern).test(zone);

  it('accepts the zone names that a registration accepts, and requires one', () => {
    const names = [...ILLEGAL.slice(1), 'sim', 'eu-west.1', 'Rack_7', 'a', 'a'.repeat(63)];
    for (const zone of names) expect([zone, accepts(zone)]).toEqual([zone, ZoneName.safeParse(zone).success]);
    expect(accepts('')).toBe(true);
  });
});
