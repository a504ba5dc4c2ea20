import { describe, expect, it } from '@jest/globals';
import { DEFAULT_LATENCIES, parseFailureRates, parseLatencies } from '../../config.js';
import { traceFor, type Trace } from './trace.js';

describe('the settings of simulated hosts', () => {
  it('read latencies for each operation, for all, and for none', () => {
    expect(parseLatencies('')).toEqual(DEFAULT_LATENCIES);
    expect(parseLatencies('create=200ms, start=1.5s')).toEqual({
      ...DEFAULT_LATENCIES,
      create: 200,
      start: 1_500,
    });
    expect(new Set(Object.values(parseLatencies('0')))).toEqual(new Set([0]));
    expect(parseLatencies('all=5ms,delete=1s')).toMatchObject({ create: 5, delete: 1_000 });
  });

  it('read failure rates as shares or percent', () => {
    expect(parseFailureRates('start=1%,powerdown=0.5')).toMatchObject({
      create: 0,
      start: 0.01,
      powerdown: 0.5,
    });
  });

  it.each(['create=fast', 'launch=1s', 'create=-1', 'create='])('refuse the latency %j', (text) => {
    expect(() => parseLatencies(text)).toThrow(/is not OPERATION=VALUE/);
  });

  it.each(['start=101%', 'start=2', 'start'])('refuse the failure rate %j', (text) => {
    expect(() => parseFailureRates(text)).toThrow(/is not OPERATION=VALUE/);
  });

  it('give a VM whose name ends in a number the day of that number, any other always the same day', () => {
    const days = Array.from({ length: 200 }, (_, i): Trace => ({ name: String(i), cpu: [], memory: [] }));
    expect(traceFor(days, { vmId: 'x', name: 'web-17' })?.name).toBe('17');
    expect(traceFor(days, { vmId: 'x', name: 'web-217' })?.name).toBe('17');
    const other = traceFor(days, { vmId: '0198c2a0-0000-7000-8000-000000000001', name: 'web' });
    expect(traceFor(days, { vmId: '0198c2a0-0000-7000-8000-000000000001', name: 'db' })).toBe(other);
    expect(traceFor([], { vmId: 'x', name: 'web-17' })).toBeUndefined();
  });
});
