/** NOVACRON_TEST_HOME, if set: the directory for the data of test servers. */
export function testHomeSetting(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NOVACRON_TEST_HOME'];
}
