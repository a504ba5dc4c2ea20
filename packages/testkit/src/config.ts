/** NOVACRON_TEST_HOME, if set: the only thing that tests read from the environment. */
export function testHomeSetting(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NOVACRON_TEST_HOME'];
}
