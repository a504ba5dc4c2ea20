import { getNumberFromEnv, getStringFromEnv } from '@opentelemetry/core';
import { ParentBasedSampler, TraceIdRatioBasedSampler, type Sampler } from '@opentelemetry/sdk-trace';
import { drawnFirst, drawWith } from './unsampled.js';

/** The samplers of OTEL_TRACES_SAMPLER: whether they follow the caller, and their share where it is fixed. */
const SAMPLERS: Readonly<Record<string, { readonly followsParent: boolean; readonly share?: 0 | 1 }>> = {
  always_on: { followsParent: false, share: 1 },
  always_off: { followsParent: false, share: 0 },
  traceidratio: { followsParent: false },
  parentbased_always_on: { followsParent: true, share: 1 },
  parentbased_always_off: { followsParent: true, share: 0 },
  parentbased_traceidratio: { followsParent: true },
};

/**
 * The sampler that OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG name; without the first, `ratio` of the new traces
 * and the decision of the caller for the others.
 * @throws when a variable has a value that it cannot have
 */
export function samplerFromEnvironment(ratio: number): Sampler {
  const name = getStringFromEnv('OTEL_TRACES_SAMPLER');
  if (name === undefined) return parentBased(ratio);
  const known = SAMPLERS[name];
  if (known === undefined)
    throw new Error(`OTEL_TRACES_SAMPLER must be one of ${Object.keys(SAMPLERS).join(', ')}, not ${name}`);
  const share = known.share ?? shareFromEnvironment();
  if (known.followsParent) return parentBased(share);
  // The trace id decides about every span alike, in each service: nothing may be drawn before there is an id.
  drawWith(null);
  return new TraceIdRatioBasedSampler(share);
}

function parentBased(share: number): Sampler {
  drawWith(share);
  return new ParentBasedSampler({ root: drawnFirst(new TraceIdRatioBasedSampler(share)) });
}

function shareFromEnvironment(): number {
  const share = getNumberFromEnv('OTEL_TRACES_SAMPLER_ARG') ?? 1;
  if (share >= 0 && share <= 1) return share;
  throw new Error(`OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, not ${share}`);
}
