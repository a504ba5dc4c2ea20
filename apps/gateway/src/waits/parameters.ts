import { durationParameter } from '../edge/duration.js';
import { MAX_WAIT_SECONDS } from '../edge/prefer.js';

/** How long a wait may take, as milliseconds. */
export const timeoutParameter = durationParameter(
  { min: 0, max: MAX_WAIT_SECONDS },
  `Seconds, or a duration such as \`500ms\`, \`30s\` or \`1m\`; at most ${MAX_WAIT_SECONDS} s, 30 s unless told.`,
).default(30_000);
