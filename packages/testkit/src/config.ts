/** NOVACRON_TEST_HOME, if set: where test servers keep their data. */
export function testHomeSetting(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NOVACRON_TEST_HOME'];
}

/** NOVACRON_SEED, if set: what a randomised test draws from, so that a run can be repeated. */
export function seedSetting(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env['NOVACRON_SEED'];
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new Error(`NOVACRON_SEED must be a whole number, not ${text}`);
  return Number(text);
}

/** NOVACRON_COMPOSE_PROJECT, if set: the running compose project that end-to-end tests are to use. */
export function composeSetting(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NOVACRON_COMPOSE_PROJECT'] || undefined;
}

/** The variables that `npm run compose -- test` gives beside it: tokens, and where servers are published. */
export function composeEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const given = Object.entries(env).filter(([name]) => name.startsWith('NOVACRON_'));
  return Object.fromEntries(given.map(([name, value]) => [name, value ?? '']));
}
