import { afterEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { opsEnv, telemetryEnv } from '@novacron/config/fragments';
import { createLogger } from '@novacron/telemetry/logger';
import { startService, type RunningService, type ServiceSpec } from './run.js';

const settings = { ...opsEnv, ...telemetryEnv };
@Module({})
class EmptyModule {}

const spec: ServiceSpec<typeof settings> = { name: 'small', settings, module: EmptyModule };
let service: RunningService | undefined;

async function start(env: Record<string, string>): Promise<string> {
  const all = { NOVACRON_OPS_PORT: '0', ...env };
  service = await startService(spec, { env: all, logger: createLogger('small', 'silent') });
  return `http://127.0.0.1:${service.opsPort}/profile/cpu?seconds=1`;
}
afterEach(async () => {
  await service?.stop();
  service = undefined;
});

describe('profiling', () => {
  it('is off by default', async () => {
    expect((await fetch(await start({ NOVACRON_PROFILING_TOKEN: 'secret' }))).status).toBe(404);
  });

  it('stops the start when it is enabled without a secret, and names the variable', async () => {
    await expect(start({ ENABLE_PROFILING: 'true' })).rejects.toThrow(
      'NOVACRON_PROFILING_TOKEN is missing, and ENABLE_PROFILING is true',
    );
  });

  it('serves callers that have the secret', async () => {
    const url = await start({ ENABLE_PROFILING: 'true', NOVACRON_PROFILING_TOKEN: 'secret' });
    expect((await fetch(url)).status).toBe(401);
    const answer = await fetch(url, { headers: { authorization: 'Bearer secret' } });
    expect(answer.headers.get('content-disposition')).toContain('filename="small-');
    expect(await answer.json()).toMatchObject({ nodes: expect.any(Array) });
  }, 30_000);
});
