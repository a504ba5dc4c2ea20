import { createLogger, type Logger } from '@novacron/telemetry/logger';

/** Tests look at what is done, not at what is logged; set NOVACRON_LOG_LEVEL to see it. */
export const silent: Logger = createLogger('test', 'silent');
