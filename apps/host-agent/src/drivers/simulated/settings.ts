/**
 * Operations whose time and failure rate can be set. `boot` and `powerdown` are the guest's own: from its start to
 * "I am up", and from the button to off.
 */
export const OPERATIONS = [
  'create',
  'start',
  'shutdown',
  'force-stop',
  'reboot',
  'reset',
  'pause',
  'resume',
  'delete',
  'boot',
  'powerdown',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Milliseconds that each operation takes. */
export type Latencies = Readonly<Record<Operation, number>>;
/** The share of each operation that fails, 0–1; for `powerdown` the share of guests that ignore the power button, for `boot` of those that never come up. */
export type FailureRates = Readonly<Record<Operation, number>>;

/** About what a small hypervisor on local disks needs. */
export const DEFAULT_LATENCIES: Latencies = {
  create: 50,
  start: 100,
  shutdown: 10,
  'force-stop': 20,
  reboot: 150,
  reset: 50,
  pause: 10,
  resume: 10,
  delete: 30,
  boot: 0,
  powerdown: 300,
};
export const NO_FAILURES: FailureRates = Object.fromEntries(
  OPERATIONS.map((operation) => [operation, 0]),
) as unknown as FailureRates;

/**
 * `create=200ms,start=1.5s`, `all=5ms,start=1s`, or `0` for no time at all; what is not named keeps its default.
 * @throws Error naming the part that is wrong.
 */
export function parseLatencies(text: string): Latencies {
  return parse(text, DEFAULT_LATENCIES, (value) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(value);
    return match ? Number(match[1]) * (match[2] === 's' ? 1_000 : 1) : undefined;
  });
}

/** `start=0.01,powerdown=5%`: the share that fails; what is not named never does. */
export function parseFailureRates(text: string): FailureRates {
  return parse(text, NO_FAILURES, (value) => {
    const match = /^(\d+(?:\.\d+)?)(%)?$/.exec(value);
    const rate = match ? Number(match[1]) / (match[2] ? 100 : 1) : Number.NaN;
    return rate >= 0 && rate <= 1 ? rate : undefined;
  });
}

function parse(
  text: string,
  defaults: Readonly<Record<Operation, number>>,
  value: (text: string) => number | undefined,
): Record<Operation, number> {
  const result = { ...defaults };
  for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
    const [name = '', given] = part.includes('=')
      ? part.split('=', 2).map((piece) => piece.trim())
      : ['all', part.trim()];
    const number = value(given ?? '');
    const named = name === 'all' ? OPERATIONS : OPERATIONS.filter((operation) => operation === name);
    if (number === undefined || named.length === 0) {
      throw new Error(
        `"${part.trim()}" is not OPERATION=VALUE with an operation of ${OPERATIONS.join(', ')} or all`,
      );
    }
    for (const operation of named) result[operation] = number;
  }
  return result;
}
