import { dashboard, graph, rate, stat, table } from './build.mjs';

const OURS = 'job=~"$job",instance=~"$instance"';
const each = (metric) => ({ '{{job}} {{instance}}': `${metric}{${OURS}}` });
const CPU = '100 - (avg(rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval])) * 100)';
const MEMORY = '(1 - (avg(node_memory_MemAvailable_bytes) / avg(node_memory_MemTotal_bytes))) * 100';

export const nodeRuntime = dashboard({
  uid: 'novacron-node-runtime',
  title: 'NovaCron Node runtime',
  description: 'The processes and the machines that they run on.',
  variables: {
    job: 'label_values(process_start_time_seconds, job)',
    instance: 'label_values(process_start_time_seconds{job=~"$job"}, instance)',
  },
  rows: {
    'Averages of the range': [
      stat('Average CPU of the machines', 'percent', CPU, {
        calc: 'mean',
        thresholds: { red: 70 },
        max: 100,
      }),
      stat('Average memory of the machines', 'percent', MEMORY, {
        calc: 'mean',
        thresholds: { red: 80 },
        max: 100,
      }),
      stat(
        'Average CPU of a process',
        'percentunit',
        `avg(rate(process_cpu_seconds_total{${OURS}}[$__rate_interval]))`,
        {
          calc: 'mean',
          description: 'Of one core.',
        },
      ),
      stat('Average memory of a process', 'bytes', `avg(process_resident_memory_bytes{${OURS}})`, {
        calc: 'mean',
      }),
      stat('Processes', 'short', `count(process_start_time_seconds{${OURS}})`),
      stat('Cannot be scraped', 'short', 'count(up == 0) or vector(0)', { thresholds: { red: 1 } }),
    ],
    'Machines (node_exporter)': [
      graph(
        'System resources',
        'percent',
        { 'CPU usage %': CPU, 'memory usage %': MEMORY },
        { max: 100, w: 12 },
      ),
      graph(
        'CPU by machine',
        'percent',
        {
          '{{instance}}':
            '100 - (avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval])) * 100)',
        },
        { max: 100, w: 12 },
      ),
    ],
    Processes: [
      graph('CPU', 'percentunit', {
        '{{job}} {{instance}}': rate('process_cpu_seconds_total', OURS, ['job', 'instance']),
      }),
      graph('Resident memory', 'bytes', each('process_resident_memory_bytes')),
      graph('Restarts within 15 minutes', 'short', {
        '{{job}} {{instance}}': `changes(process_start_time_seconds{${OURS}}[15m])`,
      }),
      graph('Event loop: 99th percentile of the delay', 's', each('nodejs_eventloop_lag_p99_seconds')),
      graph('Event loop: longest delay', 's', each('nodejs_eventloop_lag_max_seconds')),
      graph('Event loop: utilization', 'percentunit', each('nodejs_eventloop_utilization'), { max: 1 }),
      graph('Heap in use', 'bytes', each('nodejs_heap_size_used_bytes')),
      graph(
        'Heap in use, of its limit',
        'percentunit',
        {
          '{{job}} {{instance}}': `nodejs_heap_size_used_bytes{${OURS}} / nodejs_heap_size_limit_bytes{${OURS}}`,
        },
        { max: 1 },
      ),
      graph('Garbage collection: share of time', 'percentunit', {
        '{{job}} {{kind}}': rate('nodejs_gc_duration_seconds_sum', OURS, ['job', 'kind']),
      }),
      table('Processes', {
        uptime: ['s', `time() - max by (job, instance) (process_start_time_seconds{${OURS}})`],
        memory: ['bytes', `max by (job, instance) (process_resident_memory_bytes{${OURS}})`],
        'event loop p99': ['s', `max by (job, instance) (nodejs_eventloop_lag_p99_seconds{${OURS}})`],
      }),
    ],
  },
});
