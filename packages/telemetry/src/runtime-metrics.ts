import {
  constants,
  monitorEventLoopDelay,
  performance,
  PerformanceObserver,
  type PerformanceEntry,
} from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { histogram, observableCounter, observableGauge } from './metrics.js';

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

let watching = false;

/** The process's own numbers, under the names that Prometheus users of Node know. Once for each process. */
export function watchRuntime(): void {
  if (watching) return;
  watching = true;
  watchEventLoop();
  watchMemory();
  watchGarbageCollection();
  observableCounter('process_cpu_seconds_total', 'User and system CPU time', (observe) => {
    const { user, system } = process.cpuUsage();
    observe((user + system) / 1e6);
  });
  const startedAt = Date.now() / 1000 - process.uptime();
  observableGauge('process_start_time_seconds', 'Unix time at which the process started', (observe) =>
    observe(startedAt),
  );
}

/** Delay and utilization since the metrics were last asked for. */
function watchEventLoop(): void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const seconds = (nanoseconds: number) => (Number.isFinite(nanoseconds) ? nanoseconds / 1e9 : 0);
  observableGauge('nodejs_eventloop_lag_mean_seconds', 'Mean event loop delay', (observe) =>
    observe(seconds(delay.mean)),
  );
  observableGauge('nodejs_eventloop_lag_max_seconds', 'Longest event loop delay', (observe) =>
    observe(seconds(delay.max)),
  );
  observableGauge(
    'nodejs_eventloop_lag_p99_seconds',
    '99th percentile of the event loop delay',
    (observe) => {
      observe(seconds(delay.percentile(99)));
      // The instruments are read in the order in which they were made: this one is the last of the three.
      delay.reset();
    },
  );
  let before = performance.eventLoopUtilization();
  observableGauge('nodejs_eventloop_utilization', 'Share of time the event loop was busy', (observe) => {
    const now = performance.eventLoopUtilization();
    observe(performance.eventLoopUtilization(now, before).utilization);
    before = now;
  });
}

function watchMemory(): void {
  observableGauge('process_resident_memory_bytes', 'Resident memory', (observe) =>
    observe(process.memoryUsage.rss()),
  );
  const heap = (name: string, help: string, key: 'heapTotal' | 'heapUsed' | 'external') =>
    observableGauge(name, help, (observe) => observe(process.memoryUsage()[key]));
  heap('nodejs_heap_size_total_bytes', 'Heap size', 'heapTotal');
  heap('nodejs_heap_size_used_bytes', 'Heap in use', 'heapUsed');
  observableGauge('nodejs_heap_size_limit_bytes', 'Heap size at which the process ends', (observe) =>
    observe(getHeapStatistics().heap_size_limit),
  );
  heap('nodejs_external_memory_bytes', 'Memory of C++ objects bound to JavaScript ones', 'external');
}

function watchGarbageCollection(): void {
  const pauses = histogram(
    'nodejs_gc_duration_seconds',
    'Garbage collection pauses',
    [0.001, 0.01, 0.1, 1, 2, 5],
  );
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail;
      pauses.record(entry.duration / 1000, { kind: GC_KINDS[kind] ?? 'other' });
    }
  }).observe({ entryTypes: ['gc'] });
}
