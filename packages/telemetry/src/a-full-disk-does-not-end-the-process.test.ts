import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const program = `
  const { createLogger } = await import(process.argv[1]);
  const { metricsText } = await import(process.argv[2]);
  const logger = createLogger('test', 'info');
  for (let i = 0; i < 20_000; i++) logger.info({ i, text: 'x'.repeat(200) }, 'line');
  await new Promise((done) => setTimeout(done, 50));
  logger.error(new Error('and an error'), 'line');
  process.stderr.write(await metricsText());
`;

describe('a logger whose standard output is a file on a full disk', () => {
  it('drops and counts what exceeds its buffer, and does not throw', async () => {
    const built = (name: string) => join(import.meta.dirname, '../dist', name);
    // /dev/full answers each write with ENOSPC.
    const shell = [
      '-c',
      'exec "$@" > /dev/full',
      'sh',
      process.execPath,
      '--input-type=module',
      '-e',
      program,
    ];
    const { stderr } = await promisify(execFile)('sh', [...shell, built('logger.js'), built('metrics.js')], {
      maxBuffer: 16 * 1024 * 1024,
    });
    const value = (name: string) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(stderr)?.[1]);
    expect(value('novacron_log_write_failures_total')).toBeGreaterThan(0);
    expect(value('novacron_log_lines_dropped_total')).toBeGreaterThan(10_000);
  });
});
