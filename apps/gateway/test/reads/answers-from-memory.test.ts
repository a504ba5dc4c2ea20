import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId, type TenantId } from '@novacron/contracts/ids';
import { eventually, until } from '@novacron/testkit/wait';
import { setTimeout as sleep } from 'node:timers/promises';
import { GUIDE_VM, TestGateway, type Answered } from '../support/gateway.js';

let gateway: TestGateway;
let id: string;
let path: string;
let beating: NodeJS.Timeout;

beforeAll(async () => {
  gateway = await TestGateway.start();
  gateway.orchestrator.cacheable = true;
  gateway.orchestrator.servedFrom = 'replica';
  beating = setInterval(() => gateway.orchestrator.beat(), 20);
});
afterAll(async () => {
  clearInterval(beating);
  await gateway?.stop();
});
let names = 0;
beforeEach(async () => {
  const created = await gateway.ask('POST', '/api/v1/vms', { body: { ...GUIDE_VM, name: `vm-${names++}` } });
  id = created.json.id;
  path = `/api/v1/vms/${id}`;
  await sleep(60);
});

const from = (answer: Answered) => answer.headers.get('novacron-served-from');
const tokenOf = (answer: Answered) => answer.headers.get('novacron-consistency-token') as string;
const asked = () => gateway.orchestrator.requests.length;
/** Asks until it comes out of memory. */
function warm(url: string): Promise<Answered> {
  return fromMemory(() => gateway.ask('GET', url));
}

/** An answer of `ask` from memory. On a machine that stalls, entries expire in between. */
function fromMemory(ask: () => Promise<Answered>): Promise<Answered> {
  return eventually(async () => {
    const before = asked();
    const answer = await ask();
    expect([from(answer), asked() - before]).toEqual(['l1', 0]);
    return answer;
  });
}

describe('an answer from memory', () => {
  it("is the owner's reply, with all its headers, without a request", async () => {
    const first = await gateway.ask('GET', path);
    const again = await fromMemory(() => gateway.ask('GET', path, { headers: { 'x-request-id': 'mine' } }));
    expect([again.status, again.text, from(again)]).toEqual([200, first.text, 'l1']);
    expect(Object.fromEntries(again.headers)).toMatchObject({
      etag: '"1"',
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'private, no-cache',
      vary: 'Authorization, Accept-Encoding, Origin, NovaCron-Consistency, NovaCron-Consistency-Token',
      'x-request-id': 'mine',
      'novacron-consistency-token': expect.any(String),
    });
  });

  it.each(['vm', 'list'])('is 304 without a body for a client that has it: %s', async (what) => {
    const url = what === 'vm' ? path : '/api/v1/vms?sort=name';
    const etag = (await warm(url)).headers.get('etag') as string;
    for (const tag of [etag, `"other", W/${etag}`, '*']) {
      const same = await fromMemory(() => gateway.ask('GET', url, { headers: { 'if-none-match': tag } }));
      expect([same.status, same.text, same.headers.get('etag'), from(same)]).toEqual([304, '', etag, 'l1']);
    }
    expect((await gateway.ask('GET', url, { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
  });

  it('is one for all spellings of a query', async () => {
    const loads: number[] = [];
    // Were they two, the second would have to be loaded each time.
    await eventually(async () => {
      await warm('/api/v1/vms?state=running,stopped&limit=' + (10 + loads.length));
      const before = asked();
      await gateway.ask('GET', `/api/v1/vms?limit=${10 + loads.length}&state=running&state=stopped`);
      loads.push(asked() - before);
      expect(loads.at(-1)).toBe(0);
    });
  });

  it('belongs to its tenant: with the token of another tenant the VM does not exist', async () => {
    await warm(path);
    const other = gateway.token('owner', newId<TenantId>());
    for (let i = 0; i < 3; i += 1)
      expect((await gateway.ask('GET', path, { token: other })).status).toBe(404);
    const list = await gateway.ask('GET', '/api/v1/vms', { token: other });
    expect(list.json.items).toEqual([]);
  });

  it('is not for operators of the platform, nor for strong reads', async () => {
    await warm(path);
    const strong = { headers: { 'novacron-consistency': 'strong' } };
    expect(from(await gateway.ask('GET', path, strong))).toBe('replica');
    const operator = { token: gateway.token('platform_operator') };
    expect(from(await gateway.ask('GET', path, operator))).toBe('replica');
  });

  it('is authorized each time: a revoked token is 401 once that is noticed, a viewer stays a viewer', async () => {
    await warm(path);
    expect((await gateway.ask('GET', path, { token: null })).status).toBe(401);
    expect((await gateway.ask('PATCH', path, { token: gateway.token('viewer'), body: {} })).status).toBe(403);
    expect((await gateway.ask('GET', path, { token: gateway.token('viewer') })).status).toBe(200);
  });
});

describe('after a change', () => {
  it('its writer observes it at once, and so does every caller with its token', async () => {
    for (let round = 0; round < 20; round += 1) {
      await gateway.ask('GET', path);
      const written = await gateway.ask('PATCH', path, { body: { tags: { round: String(round) } } });
      for (const url of [path, '/api/v1/vms']) {
        const headers = { 'novacron-consistency-token': tokenOf(written) };
        const read = await gateway.ask('GET', url, { headers, token: gateway.token('viewer') });
        const vm = read.json.items?.find((item: { id: string }) => item.id === id) ?? read.json;
        expect(vm.version).toBe(written.json.version);
      }
    }
  });

  it('a caller without a token observes it after its event', async () => {
    await warm(path);
    gateway.orchestrator.change(id, { tags: { told: 'yes' } });
    await eventually(async () => {
      const read = await gateway.ask('GET', path, { token: gateway.token('viewer') });
      expect(read.json.tags).toEqual({ told: 'yes' });
    }, 10_000);
  });

  it('a reader who observed the new state elsewhere does not get the old one here, even without the event', async () => {
    const old = await warm(path);
    gateway.orchestrator.change(id, { tags: { quiet: 'yes' } }, true);
    const seen = gateway.tokens.sign({
      ...gateway.tokens.verify(tokenOf(old)),
      lsn: gateway.orchestrator.lsn,
    });
    const read = await gateway.ask('GET', path, { headers: { 'novacron-consistency-token': seen } });
    expect(read.json.tags).toEqual({ quiet: 'yes' });
  });

  it('a remembered absence ends with the creation', async () => {
    const missing = `/api/v1/vms/${newId()}`;
    expect((await gateway.ask('GET', missing)).status).toBe(404);
    await sleep(60);
    const before = asked();
    const again = await gateway.ask('GET', missing);
    expect([again.status, again.json.code]).toEqual([404, 'not_found']);
    expect(asked() - before).toBeLessThanOrEqual(1);
  });
});

describe('10,000 readers of one answer at once', () => {
  it('cause one request to the owner', async () => {
    const url = '/api/v1/vms?namePrefix=nobody';
    let open!: () => void;
    gateway.orchestrator.gate = new Promise((resolve) => (open = resolve));
    const before = asked();
    const joined = gateway.cache.stats().flightsJoined;
    const headers = { authorization: `Bearer ${gateway.token('viewer', gateway.tenantId)}` };
    const answers = Array.from({ length: 10_000 }, () => gateway.fastify.inject({ url, headers }));
    await until(() => gateway.cache.stats().flightsJoined - joined === 9_999);
    gateway.orchestrator.gate = null;
    open();
    const statuses = new Set((await Promise.all(answers)).map(({ statusCode }) => statusCode));
    expect([...statuses]).toEqual([200]);
    expect(asked() - before).toBe(1);
  });
});

describe('when the owner is unreachable', () => {
  it('an eventual reader gets the old state, a causal one 503 with Retry-After', async () => {
    const url = '/api/v1/jobs?kind=reboot';
    const seen = await warm(url);
    const lsn = gateway.orchestrator.lsn + 1_000_000n;
    const later = gateway.tokens.sign({ ...gateway.tokens.verify(tokenOf(seen)), lsn });
    const headers = { 'novacron-consistency-token': later };
    // A credential of its own: its remembered position is in the future.
    const token = gateway.token('viewer', gateway.tenantId, 'ahead');
    gateway.orchestrator.failNext('dependency_down', 'away', 2_000);
    const causal = await gateway.ask('GET', url, { headers, token });
    expect([causal.status, causal.headers.get('retry-after')]).toEqual([503, '2']);
    const eventual = await gateway.ask('GET', url, {
      token,
      headers: { ...headers, 'novacron-consistency': 'eventual' },
    });
    expect([eventual.status, eventual.text]).toEqual([200, seen.text]);
    expect(tokenOf(eventual)).toBe(later);
  });
});

describe('after an outage of NATS', () => {
  it('no earlier answer is given to a reader after the next watermark', async () => {
    await warm(path);
    const { drops } = gateway.cache.coherence;
    await gateway.servers.nats.kill();
    gateway.orchestrator.change(id, { tags: { meanwhile: 'yes' } });
    await gateway.servers.nats.start();
    await eventually(() => expect(gateway.cache.coherence.drops).toBeGreaterThan(drops));
    await eventually(async () => {
      const read = await gateway.ask('GET', path, { token: gateway.token('viewer') });
      expect(read.json.tags).toEqual({ meanwhile: 'yes' });
    }, 10_000);
    await warm(path);
  });
});
