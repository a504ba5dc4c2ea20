/** NOVACRON_SEED, if set: the seed of a randomised test, which repeats a run. */
export function seedSetting(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env['NOVACRON_SEED'];
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new Error(`NOVACRON_SEED must be a whole number, not ${text}`);
  return Number(text);
}
