import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StackError } from './stack-error.js';

/** Root directory of this repository. */
export const repositoryRoot = resolve(fileURLToPath(new URL('../../..', import.meta.url)));

/** The settings that the local stack reads from the environment. No other file reads it. */
export interface StackConfig {
  /** NOVACRON_HOME, absolute; default `.novacron` in the repository */
  readonly home: string;
  /** NOVACRON_PORT_OFFSET: added to every port, so that two stacks run side by side */
  readonly portOffset: number;
  /** NOVACRON_HTTP_PORT: the gateway's port before the offset; default 8080 */
  readonly httpPort: number;
  readonly logLevel: string;
  /** NOVACRON_COMMAND_STARTED_AT: start of the npm command, in milliseconds since 1970; default now */
  readonly commandStartedAt: number;
}

/** Not inherited, because it belongs to this process only. */
const COMMAND_STARTED_AT = 'NOVACRON_COMMAND_STARTED_AT';

function integer(env: NodeJS.ProcessEnv, name: string, fallback: number, max: number): number {
  const text = env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new StackError(`${name} is ${JSON.stringify(text)}`, `It must be a whole number from 0 to ${max}`);
  }
  return value;
}

/** Reads the stack's configuration. @throws StackError that names the variable with a bad value */
export function loadStackConfig(env: NodeJS.ProcessEnv = process.env): StackConfig {
  return {
    home: resolve(env['NOVACRON_HOME'] || join(repositoryRoot, '.novacron')),
    portOffset: integer(env, 'NOVACRON_PORT_OFFSET', 0, 40_000),
    httpPort: integer(env, 'NOVACRON_HTTP_PORT', 8080, 65_535),
    logLevel: env['NOVACRON_LOG_LEVEL'] || 'info',
    commandStartedAt: Math.min(Date.now(), Number(env[COMMAND_STARTED_AT]) || Date.now()),
  };
}

/** The directories of PATH. */
export function searchPath(env: NodeJS.ProcessEnv = process.env): string[] {
  return (env['PATH'] ?? '').split(':').filter(Boolean);
}

const inherited = [
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'TMPDIR',
  'NODE_EXTRA_CA_CERTS',
  'NODE_OPTIONS',
  'ENABLE_PROFILING',
];

/** The variables that every child inherits: those of the system, and NovaCron settings that the stack does not set itself. */
export function inheritedEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    const ours = name.startsWith('NOVACRON_') && name !== COMMAND_STARTED_AT;
    const passes = inherited.includes(name) || ours || name.startsWith('OTEL_');
    if (passes && value !== undefined) result[name] = value;
  }
  return result;
}
