import { durationParameter } from './duration.js';

/** The maximum duration of a wait, in seconds. Proxies time out a little later. */
export const MAX_WAIT_SECONDS = 60;

/** The duration of a wait, in milliseconds. */
export const waitTimeout = durationParameter(
  { min: 0, max: MAX_WAIT_SECONDS },
  `Seconds, or a duration such as \`500ms\`, \`30s\` or \`1m\`; at most ${MAX_WAIT_SECONDS} s, 30 s by default.`,
).default(30_000);
