const text = { type: 'string' } as const;

/** Answer headers, by name. */
export const HEADERS = {
  'X-Request-Id': {
    description: "The request's id: the one that the caller sent, or a new one.",
    schema: text,
  },
  'NovaCron-Consistency-Token': {
    description:
      'The highest position that was presented, written or read. Opaque. Send it with the next request.',
    schema: text,
  },
  'NovaCron-Served-From': {
    description: 'The source of the answer. Absent when the gateway answered without a service.',
    schema: { enum: ['l1', 'l2', 'replica', 'primary'] },
  },
  'Idempotency-Replayed': {
    description: 'The answer repeats the first one to this Idempotency-Key.',
    schema: { const: 'true' },
  },
  'Preference-Applied': { description: 'The wait of `Prefer` that was applied.', schema: text },
  'NovaCron-Truncated': {
    description: 'Whether earlier output was cut off.',
    schema: { enum: ['true', 'false'] },
  },
  'WWW-Authenticate': { description: 'How to authenticate.', schema: text },
  'Retry-After': {
    description: 'Seconds to wait before a retry.',
    schema: { type: 'integer', minimum: 1 },
  },
  RateLimit: {
    description:
      'The remaining requests (`r`), and the seconds until all of them are available again (`t`). Absent for a token ' +
      'without a limit.',
    schema: text,
    example: '"token";r=1999;t=1',
  },
  'RateLimit-Policy': {
    description: 'The limit: `q` requests in `w` seconds. Absent without a limit.',
    schema: text,
    example: '"token";q=2000;w=1',
  },
  ETag: { description: 'The version, in quotes.', schema: text, example: '"3"' },
  Location: { description: 'The path of the created resource or of the job.', schema: text },
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
    'Makes a retry safe: the same key with the same body takes effect once, and receives the same answer.',
    { type: 'string', minLength: 1, maxLength: 255 },
  ),
  'If-Match': header('If-Match', 'The ETag that the resource must still have, a list of ETags, or `*`.', {
    type: 'string',
    pattern: '^(\\*|(W/)?"[!#-~]*"(, (W/)?"[!#-~]*"){0,9})$',
  }),
  'If-None-Match': header(
    'If-None-Match',
    'ETags that the client has. If the resource still has one of them, the answer is 304.',
  ),
  Prefer: header('Prefer', '`wait=N`: answer when the work has ended, after N seconds at most.'),
  'NovaCron-Consistency-Token': header(
    'NovaCron-Consistency-Token',
    'The token of the last answer. The request then reads no older state.',
  ),
  'NovaCron-Consistency': header('NovaCron-Consistency', 'The freshness that a read requires.', {
    enum: ['strong', 'causal', 'eventual'],
    default: 'causal',
  }),
  'X-Request-Id': header(
    'X-Request-Id',
    "The caller's own id of the request. It appears in the logs of the gateway.",
  ),
  traceparent: header('traceparent', 'W3C trace context.'),
};
