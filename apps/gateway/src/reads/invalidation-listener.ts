import type { NatsConnection } from '@nats-io/transport-node';
import type { Cache } from '@novacron/cache/cache';
import { Watermark, watermarkSubject } from '@novacron/contracts/events';
import { Invalidation, invalidationSubjects, MetricsInvalidation } from '@novacron/contracts/invalidation';
import { parsePosition } from '@novacron/contracts/position';
import { onReconnect } from '@novacron/messaging/connect';
import type { Logger } from '@novacron/telemetry/logger';
import type { z } from 'zod';

/**
 * Tells the L1 what the invalidators broadcast. Messages that were missed while the connection was away are why
 * it begins anew with each reconnect.
 * @returns how to stop
 */
export function listenForInvalidations(nc: NatsConnection, { coherence }: Cache, logger: Logger): () => void {
  const hear = <S extends z.ZodType>(subject: string, schema: S, apply: (message: z.infer<S>) => void) =>
    nc.subscribe(subject, {
      callback: (error, message) => {
        if (error !== null) return logger.error({ err: error, subject }, 'subscription failed');
        const parsed = schema.safeParse(jsonOf(message.string()));
        if (parsed.success) return apply(parsed.data);
        // Of an event that nobody can read we know that it was, not what: all may be old.
        logger.error({ err: parsed.error, subject }, 'unknown message');
        coherence.onReconnect();
      },
    });
  const subscriptions = [
    hear(invalidationSubjects.orchestrator, Invalidation, (message) => coherence.onInvalidation(message)),
    hear(watermarkSubject('orchestrator'), Watermark, ({ seq, position }) =>
      coherence.onWatermark(seq, parsePosition(position)),
    ),
    hear(invalidationSubjects.metrics, MetricsInvalidation, (message) => coherence.onMetrics(message)),
  ];
  const forget = onReconnect(nc, () => coherence.onReconnect());
  coherence.start();
  return () => {
    forget();
    coherence.stop();
    for (const subscription of subscriptions) subscription.unsubscribe();
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
