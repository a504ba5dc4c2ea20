import { parseArgs } from 'node:util';
import { phase } from '@novacron/local-stack/phase';
import { ensureServers } from '@novacron/local-stack/servers/install';
import { useTestStack } from '../stack.js';
import { FUZZ_ROLES, roleTokens } from './role-tokens.js';
import { fuzz, installSchemathesis } from './schemathesis.js';

const usage = `usage: npm run fuzz -- [options]
Sends requests that schemathesis generates out of /openapi.json to a stack of its own, as each role.
  --examples N       requests for each operation and phase (default 50)
  --seconds N        of fuzzing for each role at most (default 600)
  --seed N           what is generated (default: drawn, and printed)
  --role NAME        one of ${FUZZ_ROLES.join(', ')} (default: all)
Exit code 1 when a round has findings. Skipped where Python 3 or its packages are missing.
`;

const options = {
  examples: { type: 'string', default: '50' },
  seconds: { type: 'string', default: '600' },
  seed: { type: 'string' },
  role: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

async function main(): Promise<void> {
  const { values } = parseArgs({ options });
  if (values.help) return void process.stdout.write(usage);
  const missing = await installSchemathesis();
  if (missing !== undefined) return void process.stdout.write(`fuzz: skipped: ${missing}\n`);
  await ensureServers(phase, { qemu: false });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  process.stdout.write(`seed ${seed}\n`);
  const roles = FUZZ_ROLES.filter((role) => values.role === undefined || role === values.role);
  const env = {
    NOVACRON_AGENT_SIM_LATENCY: '0',
    // The hooks give each request an address of its own.
    NOVACRON_TRUSTED_PROXIES: '127.0.0.1',
  };
  const stack = await useTestStack({ simHosts: 3, replica: true, env });
  try {
    const tokens = await roleTokens(stack);
    for (const role of roles) {
      const { clean, output } = await fuzz({
        url: stack.url,
        token: tokens[role],
        examples: Number(values.examples),
        seed,
        maxSeconds: Number(values.seconds),
      });
      process.stdout.write(clean ? `fuzz: ${role}: no findings\n` : `${output}\nfuzz: ${role}: FINDINGS\n`);
      if (!clean) process.exitCode = 1;
    }
  } finally {
    await stack.remove();
  }
}

await main();
