import { z } from 'zod';

/** In milliseconds. Any time in seconds until the year 32970 is a smaller number. */
export const YEAR_2001 = 978_307_200_000;

/** A query parameter with a time in milliseconds since 1970 or in RFC 3339. It parses to milliseconds. */
export const timeParameter = z
  .string()
  .refine((text) => Number.isSafeInteger(parseTime(text)), {
    error: 'milliseconds since 1970, or RFC 3339',
    abort: true,
  })
  .refine((text) => !isProbablySeconds(text), {
    error:
      'in milliseconds this is before 2001, so it is probably in seconds: multiply by 1000, or send RFC 3339',
    abort: true,
  })
  .transform(parseTime);

/** Whether the text is probably in seconds: as milliseconds it is before 2001. 0 is valid. */
function isProbablySeconds(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) > 0 && Number(text) < YEAR_2001;
}

function parseTime(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return z.iso.datetime({ offset: true }).safeParse(text).success ? Date.parse(text) : NaN;
}
