import type { FastifyReply } from 'fastify';

/** Adds a request header to the answer's Vary. */
export function varyBy(reply: FastifyReply, header: string): void {
  const present = reply.getHeader('Vary');
  const names =
    present === undefined
      ? []
      : String(present)
          .split(',')
          .map((name) => name.trim());
  if (names.some((name) => name === '*' || name.toLowerCase() === header.toLowerCase())) return;
  reply.header('Vary', [...names, header].join(', '));
}
