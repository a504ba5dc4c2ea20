import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withConfigLabels } from '../src/compose/config-labels.js';
import { repositoryRoot } from '../src/config.js';

const compose = readFileSync(join(repositoryRoot, 'docker-compose.yml'), 'utf8');
const labels = (text: string) => text.match(/novacron\.config: '[0-9a-f]{16}'/g) ?? [];

describe('docker-compose.yml', () => {
  it('has current configuration labels of redis, nats and nginx', () => {
    expect(new Set(labels(compose)).size).toBe(3);
    expect(withConfigLabels(compose)).toBe(compose);
  });

  it.each(['redis', 'nats', 'nginx'])(
    'is refused when the label of %s is gone, and mended when it is old',
    (server) => {
      const block = new RegExp(`(\\n  ${server}:\\n[^]*?)labels: \\{ novacron\\.config: '[0-9a-f]+' \\}`);
      expect(withConfigLabels(compose.replace(block, "$1labels: { novacron.config: 'old' }"))).toBe(compose);
      expect(() => withConfigLabels(compose.replace(block, '$1'))).toThrow(`novacron.config of ${server}`);
    },
  );

  it('has upgrade steps that write the configuration before its readers start', () => {
    const text = readFileSync(join(repositoryRoot, 'docs', 'containers.md'), 'utf8');
    const steps = /A new version[^]*?```sh\n([^]*?)```/.exec(text)?.[1]?.split('\n') ?? [];
    const at = (pattern: RegExp) => steps.findIndex((step) => pattern.test(step));
    expect(at(/run .*\binit\b/)).toBeGreaterThanOrEqual(0);
    expect(at(/run .*\bbootstrap\b/)).toBeGreaterThan(at(/run .*\binit\b/));
    expect(at(/up -d --no-deps redis nats/)).toBeGreaterThan(at(/run .*\binit\b/));
    expect(at(/migrate-orchestrator/)).toBeGreaterThan(at(/run .*\bbootstrap\b/));
    expect(at(/vm-orchestrator$/)).toBeGreaterThan(at(/up -d --no-deps redis nats/));
    expect(at(/gateway-1/)).toBeGreaterThan(at(/vm-orchestrator$/));
  });
});
