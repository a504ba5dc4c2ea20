import { sleep } from '@novacron/async/sleep';
import type { Api } from '../api.js';

/** Begins `rate` works each second until `signal`; resolves when all are done. The first error ends it. */
async function paced(
  rate: number,
  signal: AbortSignal,
  work: (i: number) => Promise<unknown>,
): Promise<void> {
  const start = performance.now();
  const under = new Set<Promise<unknown>>();
  let failed: Error | undefined;
  for (let i = 0; !signal.aborted && failed === undefined; i++) {
    const one = work(i)
      .catch((error: Error) => void (failed = error))
      .finally(() => under.delete(one));
    under.add(one);
    await sleep(Math.max(0, start + ((i + 1) * 1_000) / rate - performance.now()));
  }
  await Promise.all(under);
  if (failed !== undefined) throw failed;
}

let round = 0;

/** What goes on besides, for as long as `work` takes: 10 creates and 100 reads each second, on both gateways. */
export async function underLoad<T>(
  apis: readonly Api[],
  ids: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const prefix = `load-${++round}`;
  const at = (i: number) => apis[i % apis.length] as Api;
  const creates = paced(10, stop.signal, (i) => at(i).create(`${prefix}-${i}`));
  const reads = paced(100, stop.signal, (i) =>
    at(i).read(i % 10 === 0 ? '/api/v1/vms' : `/api/v1/vms/${ids[i % ids.length]}`),
  );
  const [done] = await Promise.all([work().finally(() => stop.abort()), creates, reads]);
  return done;
}
