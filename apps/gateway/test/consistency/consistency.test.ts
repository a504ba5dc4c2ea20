import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { formatPosition, parsePosition } from '@novacron/contracts/position';
import { newId } from '@novacron/contracts/ids';
import { ConsistencyTokens } from '../../src/consistency/consistency-token.js';
import { GUIDE_VM, TestGateway, type Answered } from '../support/gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(() => gateway?.stop());
afterEach(() => {
  gateway.orchestrator.servedFrom = 'primary';
  gateway.orchestrator.timeline = 1;
});

const tokenOf = (answer: Answered): string => answer.headers.get('novacron-consistency-token') as string;
const positionOf = (answer: Answered): string => formatPosition(gateway.tokens.verify(tokenOf(answer)));
const present = (token: string, more: Record<string, string> = {}) => ({
  headers: { 'novacron-consistency-token': token, ...more },
});
const asked = () => gateway.orchestrator.requests.at(-1);
const at = (lsn: bigint, systemId = '7000000000000000001') =>
  gateway.tokens.sign({ systemId, timeline: 1, lsn });
let names = 0;
const write = () => gateway.ask('POST', '/api/v1/vms', { body: { ...GUIDE_VM, name: `vm-${names++}` } });

describe('a consistency token', () => {
  it('of a write is its position, and the next read is sent at it', async () => {
    const written = await write();
    expect(positionOf(written)).toBe(gateway.orchestrator.position);
    await gateway.ask('GET', `/api/v1/vms/${written.json.id}`, present(tokenOf(written)));
    expect(asked()?.minPosition).toBe(positionOf(written));
  });

  it('that is presented returns when it is higher than what was observed', async () => {
    const token = at(9_999_999n);
    const answer = await gateway.ask('GET', '/api/v1/vms', present(token));
    expect(tokenOf(answer)).toBe(token);
  });

  it('is on errors too: of services, of the gateway, and of paths that do not exist', async () => {
    const token = at(9_999_998n);
    for (const path of [`/api/v1/vms/${newId()}`, '/api/v1/vms?limit=0', '/api/v1/nothing']) {
      const answer = await gateway.ask('GET', path, present(token));
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(tokenOf(answer)).toBe(token);
    }
  });

  it('is on an answer to a caller without a good token', async () => {
    const answer = await gateway.ask('GET', '/api/v1/vms', { token: null });
    expect(answer.status).toBe(401);
    expect(tokenOf(answer)).toBeTruthy();
  });

  it('that was forged, cut, or signed with another key is 422 invalid_token', async () => {
    const good = at(5n);
    const flipped = (good.startsWith('A') ? 'B' : 'A') + good.slice(1);
    const foreign = new ConsistencyTokens(randomBytes(32)).sign(parsePosition('7000000000000000001.1.5'));
    for (const token of [
      flipped,
      good.slice(0, -1),
      `${good}AA`,
      foreign,
      'nonsense',
      '7000000000000000001.1.5',
    ]) {
      const answer = await gateway.ask('GET', '/api/v1/vms', present(token));
      expect([token, answer.status, answer.json.code]).toEqual([token, 422, 'invalid_token']);
      expect(tokenOf(answer)).toBeTruthy();
    }
  });

  it('of another database goes to the owner, the only service that knows the present one after a restore', async () => {
    await write();
    await gateway.ask('GET', '/api/v1/vms', present(at(5n, '7999999999999999999')));
    expect(asked()?.minPosition).toBe('7999999999999999999.1.5');
  });

  it('is not needed by a writer, whose last position the gateway remembers for them only', async () => {
    const written = await write();
    await gateway.ask('GET', '/api/v1/vms');
    expect(asked()?.minPosition).not.toBeNull();
    expect(parsePosition(asked()?.minPosition as string).lsn).toBeGreaterThanOrEqual(
      gateway.tokens.verify(tokenOf(written)).lsn,
    );
    await gateway.ask('GET', '/api/v1/vms', { token: gateway.token('viewer') });
    expect(asked()?.minPosition).toBeNull();
  });

  it('is omitted from the request of an eventual read, and returned in the answer', async () => {
    const token = at(8_888_888n);
    const answer = await gateway.ask(
      'GET',
      '/api/v1/vms',
      present(token, { 'novacron-consistency': 'eventual' }),
    );
    expect(asked()).toMatchObject({ consistency: 'eventual', minPosition: null });
    expect(gateway.tokens.verify(tokenOf(answer)).lsn).toBeGreaterThanOrEqual(8_888_888n);
  });

  it('of a lost timeline is not returned again', async () => {
    const operator = gateway.token('operator');
    const lost = at(7_777_777_777n);
    gateway.orchestrator.failNext('history_lost');
    const answer = await gateway.ask('GET', '/api/v1/vms', { token: operator, ...present(lost) });
    expect(answer.status).toBe(409);
    expect(tokenOf(answer)).not.toBe(lost);
    gateway.orchestrator.timeline = 2;
    const next = await gateway.ask('GET', '/api/v1/vms', { token: operator });
    expect(positionOf(next)).toBe(gateway.orchestrator.position);
  });
});

describe('NovaCron-Consistency and NovaCron-Served-From', () => {
  it('are passed on and reported', async () => {
    gateway.orchestrator.servedFrom = 'replica';
    const answer = await gateway.ask('GET', '/api/v1/vms', { headers: { 'novacron-consistency': 'strong' } });
    expect(asked()?.consistency).toBe('strong');
    expect(answer.headers.get('novacron-served-from')).toBe('replica');
  });

  it('refuse an unknown value', async () => {
    const answer = await gateway.ask('GET', '/api/v1/vms', {
      headers: { 'novacron-consistency': 'sometimes' },
    });
    expect(answer.status).toBe(422);
    expect(answer.json.errors[0].path).toBe('/header/NovaCron-Consistency');
  });
});
