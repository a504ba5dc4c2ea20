import type { Setting } from './settings.js';

/** A tree of settings. Its leaves name environment variables. The result has the same shape. */
export interface Settings {
  readonly [key: string]: Setting<unknown> | Settings;
}

/** The result of `loadConfig` for a tree of settings: the same keys with the types of the values. */
export type Config<S> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : S[K] extends Settings ? Config<S[K]> : never;
};

/** An environment variable that is missing or wrong. */
export interface Mistake {
  readonly variable: string;
  readonly problem: string;
}

/** All mistakes of the environment. `message` has one line for each, with the variable's name. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly mistakes: readonly Mistake[]) {
    const lines = mistakes.map(({ variable, problem }) => `  ${variable} ${problem}`);
    const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`;
    super([`${count} in the configuration:`, ...lines].join('\n'));
  }
}

/**
 * Reads every setting of the tree from the environment. A process calls it once, at its start. An empty variable counts
 * as missing.
 * @throws ConfigError that names every variable that is missing or wrong
 */
export function loadConfig<const S extends Settings>(
  settings: S,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Config<S> {
  const mistakes: Mistake[] = [];
  const config = readTree(settings, env, mistakes);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return config as Config<S>;
}

function readTree(
  settings: Settings,
  env: Readonly<Record<string, string | undefined>>,
  mistakes: Mistake[],
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(settings)) {
    values[key] = isSetting(entry) ? readSetting(entry, env, mistakes) : readTree(entry, env, mistakes);
  }
  return values;
}

function readSetting(
  { variable, schema, secret }: Setting<unknown>,
  env: Readonly<Record<string, string | undefined>>,
  mistakes: Mistake[],
): unknown {
  const raw = env[variable]?.trim();
  const parsed = schema.safeParse(raw === '' ? undefined : raw);
  if (parsed.success) return parsed.data;
  const what = parsed.error.issues.map((issue) => issue.message).join('; ');
  // A secret must not reach a log, even when it is wrong.
  const shown = secret ? 'has a value that' : `is ${JSON.stringify(raw)} and`;
  mistakes.push({ variable, problem: raw ? `${shown} ${what}` : 'is missing' });
  return undefined;
}

function isSetting(entry: Setting<unknown> | Settings): entry is Setting<unknown> {
  return typeof entry.variable === 'string';
}
