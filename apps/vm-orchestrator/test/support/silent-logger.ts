import { createLogger, type Logger } from '@novacron/telemetry/logger';

/** A logger that writes nothing: tests assert effects, not logs. */
export const silent: Logger = createLogger('test', 'silent');
