import { isIP } from 'node:net';
import { z } from 'zod';

/** One environment variable: its name, the schema of its text, and whether its text is a secret. */
export interface Setting<T> {
  readonly variable: string;
  readonly schema: z.ZodType<T, string | undefined>;
  readonly secret: boolean;
}

/** A server's address, of `host:port` or `[ipv6]:port`. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A replica's address with its share of the reads. */
export interface WeightedAddress extends Address {
  readonly weight: number;
}

/** Any text. Required unless it has a default. */
export const text = (variable: string, fallback?: string): Setting<string> =>
  setting(variable, z.string(), fallback);

/** Any text, or undefined when the variable is not set. */
export const optionalText = (variable: string): Setting<string | undefined> => ({
  variable,
  schema: z.string().optional(),
  secret: false,
});

/** A required password. Errors never show it. */
export const secret = (variable: string): Setting<string> => ({ ...text(variable), secret: true });

/** An optional password. Errors never show it. */
export const optionalSecret = (variable: string): Setting<string | undefined> => ({
  ...optionalText(variable),
  secret: true,
});

/** A key of exactly `bytes` bytes in hexadecimal. Errors never show it. */
export const hexKey = (variable: string, bytes: number): Setting<Buffer> => ({
  variable,
  schema: z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`), `must be ${bytes} bytes in hexadecimal`)
    .transform((hex) => Buffer.from(hex, 'hex')),
  secret: true,
});

/** A whole number within the range, both ends included. */
export const integer = (
  variable: string,
  range: { min: number; max: number },
  fallback?: number,
): Setting<number> =>
  setting(
    variable,
    numeric(
      (n) => Number.isSafeInteger(n) && n >= range.min && n <= range.max,
      `must be a whole number from ${range.min} to ${range.max}`,
    ),
    fallback,
  );

/** A number within the range, both ends included. */
export const decimal = (
  variable: string,
  range: { min: number; max: number },
  fallback?: number,
): Setting<number> =>
  setting(
    variable,
    numeric(
      (n) => Number.isFinite(n) && n >= range.min && n <= range.max,
      `must be a number from ${range.min} to ${range.max}`,
    ),
    fallback,
  );

/** A TCP port to listen on. With 0 the operating system chooses a port. */
export const port = (variable: string, fallback?: number): Setting<number> =>
  integer(variable, { min: 0, max: 65_535 }, fallback);

/** `true`, `false`, `1` or `0`. */
export const flag = (variable: string, fallback?: boolean): Setting<boolean> =>
  setting(
    variable,
    z
      .string()
      .regex(/^(true|false|1|0)$/, 'must be true or false')
      .transform((value) => value === 'true' || value === '1'),
    fallback,
  );

/** Text that matches a pattern. `rule` describes the pattern in errors. Required unless it has a default. */
export const matching = (
  variable: string,
  pattern: RegExp,
  rule: string,
  fallback?: string,
): Setting<string> => setting(variable, z.string().regex(pattern, `must be ${rule}`), fallback);

/** One of the given words. */
export const oneOf = <const T extends readonly string[]>(
  variable: string,
  words: T,
  fallback?: T[number],
): Setting<T[number]> =>
  setting(
    variable,
    z
      .string()
      .refine((value) => words.includes(value), `must be one of ${words.join(', ')}`)
      .transform((value): T[number] => value),
    fallback,
  );

/** A URL with one of the protocols, written with the colon (`nats:`). Errors show it, so it must not hold a password. */
export const url = (variable: string, protocols: readonly string[], fallback?: string): Setting<string> =>
  setting(variable, urlSchema(protocols), fallback);

/** As `url`, or undefined when the variable is not set. */
export const optionalUrl = (variable: string, protocols: readonly string[]): Setting<string | undefined> => ({
  variable,
  schema: urlSchema(protocols).optional(),
  secret: false,
});

/** `host:port`. */
export const address = (variable: string, fallback?: Address): Setting<Address> =>
  setting(
    variable,
    z.string().transform((value, context) => parseAddress(value) ?? fail(context, 'must be host:port')),
    fallback,
  );

/** `host:port[*weight],…`. The default is an empty list. The weight is a whole number from 1 to 1000, 1 by default. */
export const weightedAddresses = (variable: string): Setting<readonly WeightedAddress[]> =>
  setting(
    variable,
    z.string().transform((value, context) => {
      const parsed = value.split(',').map((part) => parseWeighted(part.trim()));
      return parsed.every((item) => item !== undefined)
        ? (parsed as readonly WeightedAddress[])
        : fail(context, 'must be a list of host:port or host:port*weight');
    }),
    [],
  );

/**
 * `address[/bits],…` or the names of ranges without public addresses: `loopback`, `linklocal`, `uniquelocal` (10/8,
 * 172.16/12, 192.168/16, fc00::/7). The default is an empty list.
 */
export const networks = (variable: string): Setting<readonly string[]> =>
  setting(
    variable,
    z.string().transform((value, context) => {
      const parts = value.split(',').map((part) => part.trim());
      return parts.every(isNetwork) ? parts : fail(context, 'must be a list of addresses or networks');
    }),
    [],
  );

/** `https://host[:port],…` as browsers send it in `Origin`, or `*` for any. The default is an empty list. */
export const origins = (variable: string): Setting<readonly string[]> =>
  setting(
    variable,
    z.string().transform((value, context) => {
      const parts = value === '' ? [] : value.split(',').map((part) => part.trim());
      return parts.every(isOrigin) ? parts : fail(context, 'must be a list of origins (https://host), or *');
    }),
    [],
  );

function isOrigin(text: string): boolean {
  if (text === '*') return true;
  return /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

function setting<T>(variable: string, schema: z.ZodType<T, string>, fallback: T | undefined): Setting<T> {
  const whole = fallback === undefined ? schema : schema.optional().transform((value) => value ?? fallback);
  return { variable, schema: whole as z.ZodType<T, string | undefined>, secret: false };
}

function numeric(accepts: (value: number) => boolean, message: string): z.ZodType<number, string> {
  return z.string().transform((value, context) => {
    const number = /^[-+]?[0-9.]+(e[-+]?[0-9]+)?$/i.test(value) ? Number(value) : NaN;
    return accepts(number) ? number : fail(context, message);
  });
}

function urlSchema(protocols: readonly string[]): z.ZodType<string, string> {
  return z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    );
}

function parseAddress(value: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^\s:,*/@]+)):([0-9]{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2];
  const number = Number(match?.[3]);
  return host !== undefined && number >= 1 && number <= 65_535 ? { host, port: number } : undefined;
}

function parseWeighted(value: string): WeightedAddress | undefined {
  const [where = '', weight = '1', ...rest] = value.split('*');
  const parsed = parseAddress(where);
  if (parsed === undefined || rest.length > 0 || !/^[1-9][0-9]{0,3}$/.test(weight)) return undefined;
  return Number(weight) <= 1000 ? { ...parsed, weight: Number(weight) } : undefined;
}

function isNetwork(value: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(value)) return true;
  const [address = '', bits, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

function fail(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}
