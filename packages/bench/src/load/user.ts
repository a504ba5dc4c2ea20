import autocannon, { type Client, type Instance, type Options, type Request } from 'autocannon';
import { scenario, type Endpoint } from './scenario.js';

/** As k6's. */
const TIMEOUT_S = 60;
/** autocannon has no unlimited duration: a week is longer than any load. */
const FOR_EVER_S = 604_800;

/** Each client would keep three histograms, 2.5 MB for every user. The recorder holds the same figures. */
const none = {
  __custom: true,
  recordValue() {},
  recordValueWithExpectedInterval() {},
  reset() {},
  destroy() {},
};
const NO_HISTOGRAMS = {
  histograms: { latencies: none, requests: none, throughput: none },
  skipAggregateResult: true,
};

/**
 * autocannon sends the next request as soon as one is answered. For users that think in between this decides
 * instead when the next one goes. No public option does that; the version is pinned by the lockfile, and a
 * test counts the requests that a user makes.
 */
interface PacedClient extends Client {
  _doRequest(): void;
  destroyed: boolean;
  pipelinedRequests: { clear(): void };
}

export interface UserOptions {
  readonly url: string;
  readonly token: string;
  readonly number: number;
  readonly run: string;
  /** of the think time: 0.1 thinks a tenth as long */
  readonly pace: number;
  /** whether creates carry an Idempotency-Key, so that a balancer may send them twice */
  readonly keys: boolean;
  /** status 0: not answered, for `reason` */
  readonly onAnswer: (
    endpoint: Endpoint,
    sentAt: number,
    status: number,
    ms: number,
    reason?: string,
  ) => void;
  /** the connection failed; a request that was under way is reported separately */
  readonly onConnectionError: (error: Error) => void;
}

/** One user of the scenario: lists, creates now and then, thinks, on one connection that stays open. */
export class User {
  readonly #instance: Instance;
  readonly #ended: Promise<unknown>;
  #next: Endpoint = 'list';
  #iteration = 0;
  #underWay: { endpoint: Endpoint; sentAt: number } | undefined;
  #lost = 'the connection was closed before the answer';
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(private readonly options: UserOptions) {
    const settings: Options = {
      ...NO_HISTOGRAMS,
      url: options.url,
      connections: 1,
      duration: FOR_EVER_S,
      timeout: TIMEOUT_S,
      sampleInt: 500,
      excludeErrorStats: false,
      requests: [{ setupRequest: () => this.#request() }],
      setupClient: (client) => this.#pace(client as PacedClient),
    };
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#instance = autocannon(settings, (error, result) =>
      error ? reject(error as Error) : resolve(result),
    );
    this.#ended = promise;
    this.#instance.on('response', (_client, status, _bytes, ms) => this.#answered(status, ms));
    this.#instance.on('reqError', (error: Error) => {
      this.#lost = error.message;
      options.onConnectionError(error);
    });
  }

  /** Ends after the iteration that is under way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#underWay === undefined && this.#next === 'list') this.#end();
    await this.#ended;
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#instance.stop?.();
  }

  #request(): Request {
    const authorization = `Bearer ${this.options.token}`;
    if (this.#next === 'list') return { method: 'GET', path: '/api/v1/vms', headers: { authorization } };
    const { run, number, keys } = this.options;
    const body = JSON.stringify(scenario.newVm(run, number, this.#iteration));
    const key = keys ? { 'idempotency-key': `${run}-${number}-${this.#iteration}` } : undefined;
    const headers = { authorization, 'content-type': 'application/json', ...key };
    return { method: 'POST', path: '/api/v1/vms', headers, body };
  }

  #pace(client: PacedClient): void {
    const send = client._doRequest;
    if (typeof send !== 'function') throw new Error('this version of autocannon cannot be paced');
    // Called when a connection is there, the first or a new one, and after each answer.
    client._doRequest = () => {
      if (this.#underWay !== undefined) {
        client.pipelinedRequests.clear();
        this.#notAnswered();
      }
      if (this.#stopping && this.#next === 'list') return this.#end();
      // A new connection while it thinks: it goes on thinking.
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        if (client.destroyed) return;
        this.#underWay = { endpoint: this.#next, sentAt: performance.now() };
        send.call(client);
      }, this.#pauseMs());
    };
  }

  #pauseMs(): number {
    return this.#next === 'create' || this.#iteration === 0
      ? 0
      : scenario.thinkTime() * 1_000 * this.options.pace;
  }

  #answered(status: number, ms: number): void {
    if (this.#underWay === undefined) return;
    const { endpoint, sentAt } = this.#underWay;
    this.#underWay = undefined;
    this.options.onAnswer(endpoint, sentAt, status, ms);
    this.#decide(endpoint);
  }

  #notAnswered(): void {
    if (this.#underWay === undefined) return;
    const { endpoint, sentAt } = this.#underWay;
    this.#underWay = undefined;
    this.options.onAnswer(endpoint, sentAt, 0, performance.now() - sentAt, this.#lost);
    this.#decide(endpoint);
  }

  #decide(done: Endpoint): void {
    this.#next = done === 'list' && scenario.creates() ? 'create' : 'list';
    if (this.#next === 'list') this.#iteration += 1;
  }
}
