import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentUnderTest } from './agent-under-test.js';

describe('an agent of two hosts', () => {
  let agent: AgentUnderTest;
  beforeAll(async () => {
    agent = await AgentUnderTest.prepare(2);
  });
  afterAll(() => agent.stop());

  async function damage(hostId: string): Promise<void> {
    const folder = join(agent.folder, 'state', hostId);
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'commands.journal'),
      '{"v":"a","g":1,"f":1}\n{"v":\n{"v":"b","g":1,"f":1}\n',
    );
  }

  it('serves the host whose state can be read, and exits when there is none', async () => {
    const [damaged = '', well = ''] = agent.hosts;
    await damage(damaged);
    agent.start();
    await agent.until(() => agent.orchestrator.epochs.has(well));
    await agent.until(() => agent.output.includes('commands.journal is damaged in line 2'));
    expect(agent.orchestrator.epochs.has(damaged)).toBe(false);
    await agent.end('SIGTERM');

    await damage(well);
    agent.start();
    const child = agent.process;
    await agent.until(() => child?.exitCode !== null);
    expect(child?.exitCode).not.toBe(0);
  });
});
