import { afterEach, describe, expect, it } from '@jest/globals';
import { metricsText } from './metrics.js';
import { startOps, type Ops, type Readiness } from './ops.js';

let ops: Ops | undefined;
afterEach(() => ops?.close());

async function start(ready: () => Promise<Readiness>): Promise<string> {
  ops = await startOps({ host: '127.0.0.1', port: 0, metricsText, ready });
  return `http://127.0.0.1:${ops.port}`;
}

describe('the ops listener', () => {
  it('is healthy while it lives, and says 503 with the missing dependency when not ready', async () => {
    const checks = { nats: { ok: true }, postgres: { ok: false, detail: 'connection refused' } };
    const base = await start(async () => ({ ready: false, status: 'unavailable', checks }));
    expect((await fetch(`${base}/health`)).status).toBe(200);
    const ready = await fetch(`${base}/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ ready: false, status: 'unavailable', checks });
  });

  it('counts a readiness check that throws as not ready', async () => {
    const base = await start(() => Promise.reject(new Error('boom')));
    const ready = await fetch(`${base}/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.text()).toContain('boom');
  });

  it('serves metrics as Prometheus text, and nothing else', async () => {
    const base = await start(async () => ({ ready: true, status: 'ok', checks: {} }));
    const metrics = await fetch(`${base}/metrics`);
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect((await fetch(`${base}/ready`)).status).toBe(200);
    expect((await fetch(`${base}/other`)).status).toBe(404);
    expect((await fetch(`${base}/metrics`, { method: 'POST' })).status).toBe(405);
  });
});
