import { durationParameter } from './duration.js';

/** The longest a wait may take, in seconds: proxies give up a little later. */
export const MAX_WAIT_SECONDS = 60;

/** How long a wait may take, as milliseconds. */
export const waitTimeout = durationParameter(
  { min: 0, max: MAX_WAIT_SECONDS },
  `Seconds, or a duration such as \`500ms\`, \`30s\` or \`1m\`; at most ${MAX_WAIT_SECONDS} s, 30 s unless told.`,
).default(30_000);
