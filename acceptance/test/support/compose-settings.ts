/** NOVACRON_COMPOSE_PROJECT, if set: the running compose project that end-to-end tests are to use. */
export function composeSetting(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NOVACRON_COMPOSE_PROJECT'] || undefined;
}

/** The variables that `npm run compose -- test` gives beside it: tokens, and where servers are published. */
export function composeEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const given = Object.entries(env).filter(([name]) => name.startsWith('NOVACRON_'));
  return Object.fromEntries(given.map(([name, value]) => [name, value ?? '']));
}
