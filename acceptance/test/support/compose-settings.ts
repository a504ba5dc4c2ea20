/** NOVACRON_COMPOSE_PROJECT, if set: the running compose project for the end-to-end tests. */
export function composeSetting(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NOVACRON_COMPOSE_PROJECT'] || undefined;
}

/** The other variables of `npm run compose -- test`: tokens and published addresses. */
export function composeEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const given = Object.entries(env).filter(([name]) => name.startsWith('NOVACRON_'));
  return Object.fromEntries(given.map(([name, value]) => [name, value ?? '']));
}
