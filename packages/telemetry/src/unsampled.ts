import { createContextKey, type Context, type Span, type SpanContext } from '@opentelemetry/api';
import {
  RandomIdGenerator,
  SamplingDecision,
  type Sampler,
  type SamplingResult,
} from '@opentelemetry/sdk-trace';

const DRAWN = createContextKey('novacron: the draw of this trace was won');
const ids = new RandomIdGenerator();
let ratio: number | null = 0;

/** Share of new traces that {@link draw} wins, 0 to 1; null: the sampler decides about every trace. */
export function drawWith(share: number | null): void {
  ratio = share;
}

/** True when the sampler decides about every span, also below a caller that does not record. */
export function decidesEverySpan(): boolean {
  return ratio === null;
}

/** Decides about a new trace before anything is made for it. False: the trace is not recorded. */
export function draw(): boolean {
  return ratio === null || Math.random() < ratio;
}

/** The context in which a root span is recorded, when a draw was won. */
export function won(context: Context): Context {
  return ratio === null ? context : context.setValue(DRAWN, true);
}

/** Samples a trace that won its draw; `others` decides about the rest. */
export function drawnFirst(others: Sampler): Sampler {
  return {
    shouldSample: (context, ...rest): SamplingResult =>
      context.getValue(DRAWN) === true
        ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
        : others.shouldSample(context, ...rest),
    toString: () => `DrawnFirst{${others.toString()}}`,
  };
}

/** The span of a request whose trace is not recorded. It makes its ids when they are first read. */
export class UnsampledSpan implements Span {
  #context: SpanContext | undefined;

  spanContext(): SpanContext {
    this.#context ??= { traceId: ids.generateTraceId(), spanId: ids.generateSpanId(), traceFlags: 0 };
    return this.#context;
  }

  isRecording(): boolean {
    return false;
  }

  setAttribute(): this {
    return this;
  }

  setAttributes(): this {
    return this;
  }

  addEvent(): this {
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  setStatus(): this {
    return this;
  }

  updateName(): this {
    return this;
  }

  recordException(): void {}

  end(): void {}
}
