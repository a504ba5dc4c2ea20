import { createLogger, type Logger } from '@novacron/telemetry/logger';

/** A logger that writes nothing: tests look at effects, not at the log. */
export const silent: Logger = createLogger('test', 'silent');
