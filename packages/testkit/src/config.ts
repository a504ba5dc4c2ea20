/** NOVACRON_TEST_HOME, if set: where test servers keep their data. */
export function testHomeSetting(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NOVACRON_TEST_HOME'];
}
