const text = { type: 'string' } as const;

/** Answer headers, by name. */
export const HEADERS = {
  'X-Request-Id': { description: "The request's id: the caller's own, or a new one.", schema: text },
  'NovaCron-Consistency-Token': {
    description:
      'The highest position that was presented, written or seen. Send it with the next request. Opaque.',
    schema: text,
  },
  'NovaCron-Served-From': {
    description: 'What answered. Absent when no service was asked.',
    schema: { enum: ['l1', 'l2', 'replica', 'primary'] },
  },
  'Idempotency-Replayed': {
    description: 'This is the first answer to this Idempotency-Key, again.',
    schema: { const: 'true' },
  },
  'Preference-Applied': { description: 'The wait that was taken from `Prefer`.', schema: text },
  'NovaCron-Truncated': {
    description: 'Whether there is more before this text.',
    schema: { enum: ['true', 'false'] },
  },
  'WWW-Authenticate': { description: 'How to authenticate.', schema: text },
  'Retry-After': {
    description: 'Seconds to wait before trying again.',
    schema: { type: 'integer', minimum: 1 },
  },
  RateLimit: {
    description:
      'What is left of the rate (`r`), and in how many seconds all of it will be (`t`). Absent where there is no limit: ' +
      'for a token without one.',
    schema: text,
    example: '"token";r=1999;t=1',
  },
  'RateLimit-Policy': {
    description: 'So many requests (`q`) in so many seconds (`w`). Absent where there is no limit.',
    schema: text,
    example: '"token";q=2000;w=1',
  },
  ETag: { description: 'The version, in quotes.', schema: text, example: '"3"' },
  Location: { description: 'Where the created object or the job is.', schema: text },
};

const header = (name: string, description: string, schema: object = text) => ({
  name,
  in: 'header',
  required: false,
  description,
  schema,
});

/** Request headers, by name. */
export const PARAMETERS = {
  'Idempotency-Key': header(
    'Idempotency-Key',
    'Makes it safe to send a request again: the same key with the same body is done once, and answered the same.',
    { type: 'string', minLength: 1, maxLength: 255 },
  ),
  'If-Match': header('If-Match', 'The ETag that must still be the present one, a list of them, or `*`.', {
    type: 'string',
    pattern: '^(\\*|(W/)?"[!#-~]*"(, (W/)?"[!#-~]*"){0,9})$',
  }),
  'If-None-Match': header('If-None-Match', 'ETags that need not be sent again.'),
  Prefer: header('Prefer', '`wait=N`: answer when the work is over, after N seconds at most.'),
  'NovaCron-Consistency-Token': header(
    'NovaCron-Consistency-Token',
    'The last one that was answered: nothing older is read.',
  ),
  'NovaCron-Consistency': header('NovaCron-Consistency', 'How fresh a read must be.', {
    enum: ['strong', 'causal', 'eventual'],
    default: 'causal',
  }),
  'X-Request-Id': header('X-Request-Id', 'An id of your own for this request, for both logs.'),
  traceparent: header('traceparent', 'W3C trace context.'),
};
