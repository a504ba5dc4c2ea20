import { z } from 'zod';

/**
 * RFC 3339 in UTC with milliseconds: `2026-11-23T16:30:00.000Z`. Years 0001 to 9999: Postgres has no year 0, and
 * JavaScript writes later ones with a sign.
 */
export const Timestamp = z.iso
  .datetime({ precision: 3 })
  .refine((time) => !time.startsWith('0000'), 'a time of the years 0001 to 9999');

/** Parses a time with any offset and precision (RFC 3339) to a {@link Timestamp}. */
export const TimestampInput = z.iso
  .datetime({ offset: true })
  .transform((time) => new Date(time).toISOString())
  .pipe(Timestamp);

/** A DNS label (RFC 1123), so that a name can also be a host name. */
export const Name = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'lower-case letters, digits and hyphens, as a DNS label');

/**
 * The name that an operator gives to a zone or an image. It becomes a token of subjects (with dots replaced), a metric
 * label and a cache key, so its alphabet is closed.
 */
const CatalogName = z
  .string()
  .max(63)
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/,
    'letters, digits, dots, _ and -, with a letter or digit at both ends',
  );
export const ZoneName = CatalogName;
export const ImageName = CatalogName;

/** Text that Postgres can store. It stores neither NUL nor half of a surrogate pair. */
export const storable = z
  .string()
  .refine((value) => !value.includes('\0') && value.isWellFormed(), 'no NUL and no half surrogate pairs');

/** Text from a caller, with at most `max` UTF-16 units. */
export const text = (max: number) => storable.max(max);

/** A description of an error or result, for people. Its writer shortens it by {@link detailOf}. */
export const Detail = z.string().max(500);

/** The text as a {@link Detail}. A longer text ends in an ellipsis. */
export function detailOf(text: string): string {
  return text.length <= 500 ? text : `${text.slice(0, 499).toWellFormed()}…`;
}

/** A word of NovaCron's vocabulary: a step, a reason, an error code. */
export const Term = z.string().max(63);

/**
 * A record of at most `max` entries. zod parses every entry before it checks a record's size, so this schema counts
 * them first. An array is different: zod checks its length before its elements.
 */
export function recordOf<Key extends z.ZodString, Value extends z.ZodType>(
  key: Key,
  value: Value,
  max: number,
) {
  return z.preprocess(
    (given, context) => {
      const size = typeof given === 'object' && given !== null ? Object.keys(given).length : 0;
      if (size > max) context.addIssue(`at most ${max} entries, not ${size}`);
      // zod drops this key without an error.
      if (size > 0 && Object.hasOwn(given as object, '__proto__'))
        context.addIssue({
          code: 'custom',
          path: ['__proto__'],
          message: 'not a name that an entry may have',
        });
      return given;
    },
    z.record(key, value).meta({ maxProperties: max }),
  );
}

const TagName = z
  .string()
  .max(63)
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_./-]{0,62}$/);
export const MOST_TAGS = 50;

export const Tags = recordOf(TagName, text(255), MOST_TAGS);
/** Changes of tags: null removes one (RFC 7396). */
export const TagChanges = recordOf(TagName, text(255).nullable(), 2 * MOST_TAGS);
export type TagChanges = z.infer<typeof TagChanges>;
export type Tags = z.infer<typeof Tags>;

/** A condition of a resource, with the shape of Kubernetes conditions. */
export const Condition = z.object({
  type: Term,
  status: z.enum(['true', 'false', 'unknown']),
  reason: Term,
  message: Detail,
  lastTransitionAt: Timestamp,
});
export type Condition = z.infer<typeof Condition>;
export const Conditions = z.array(Condition).max(20);

/**
 * A keyset page. `nextCursor` is the `cursor` of the next page, and null on the last one. A page may contain fewer items
 * than `limit`: it ends before the item that would exceed the size of a message.
 */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

/** A whole number in a query string. Its errors name the range, not the converted value. */
export function wholeNumber(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

/** The default number of items in a page. */
export const PAGE_LIMIT = 50;
export const pageQuery = {
  limit: wholeNumber(1, 500).default(PAGE_LIMIT),
  cursor: z.string().max(500).optional(),
};
