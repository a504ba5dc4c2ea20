/** The answer is about this process at this moment. */
export const NOT_KEPT = 'no-store';
/** The answer is the same for every client. A client that keeps it must revalidate it, which costs a 304. */
export const MUST_REVALIDATE = 'public, no-cache';
