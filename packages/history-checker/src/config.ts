/** NOVACRON_SEED, if set: what a randomised test draws from, so that a run can be repeated. */
export function seedSetting(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const text = env['NOVACRON_SEED'];
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new Error(`NOVACRON_SEED must be a whole number, not ${text}`);
  return Number(text);
}
