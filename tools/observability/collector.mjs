// Checks of the collector's configuration that need no collector.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const COLLECTOR = 'infra/otel/collector.yaml';
/** Components of the core distribution, which docker-compose.yml runs. */
const CORE = {
  receivers: ['otlp'],
  processors: 'memory_limiter probabilistic_sampler batch attributes filter resource span'.split(' '),
  exporters: ['debug', 'file', 'otlp', 'otlphttp'],
  extensions: ['health_check', 'pprof', 'zpages'],
};

/** Replaces a variable by its default: `${env:NAME:-otlp}` is `otlp`. */
const settled = (name) => /^\$\{env:\w+:-(.*)\}$/.exec(name)?.[1] ?? name;
const typeOf = (name) => name.split('/')[0];

function wrongPipeline(config, [name, pipeline]) {
  const used = ['receivers', 'processors', 'exporters'].flatMap((kind) =>
    (pipeline[kind] ?? []).map((one) => ({ kind, one: settled(one) })),
  );
  const undefinedOnes = used.filter(({ kind, one }) => config[kind]?.[one] === undefined);
  const order = pipeline.processors ?? [];
  return [
    ...undefinedOnes.map(({ kind, one }) => `pipeline ${name}: ${kind} has no ${one}`),
    ...(order[0] === 'memory_limiter' ? [] : [`pipeline ${name}: memory_limiter is not first`]),
    ...(order.at(-1) === 'batch' ? [] : [`pipeline ${name}: batch is not last`]),
  ];
}

/** Returns the faults of the collector's configuration, one line each. */
export function collectorFindings(root) {
  const path = join(root, COLLECTOR);
  if (!existsSync(path)) return [`${COLLECTOR} is missing`];
  const config = parse(readFileSync(path, 'utf8'));
  const { pipelines = {}, extensions = [] } = config.service ?? {};
  const foreign = Object.entries(CORE).flatMap(([kind, known]) =>
    Object.keys(config[kind] ?? {})
      .filter((name) => !known.includes(typeOf(name)))
      .map((name) => `${kind}: the core distribution has no ${name}`),
  );
  const missing = extensions.filter((name) => config.extensions?.[name] === undefined);
  return [
    ...foreign,
    ...missing.map((name) => `extensions has no ${name}`),
    ...(pipelines.traces ? [] : ['the pipeline traces is missing']),
    ...Object.entries(pipelines).flatMap((one) => wrongPipeline(config, one)),
  ].map((text) => `${COLLECTOR}: ${text}`);
}
