import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { postgresEnv } from '@novacron/config/fragments';
import { loadConfig } from '@novacron/config/load';
import { newId } from '@novacron/contracts/ids';
import { createDatabase, type Database } from '@novacron/postgres/database';
import { migrate } from '@novacron/postgres/migrate';
import { useTestServers } from '@novacron/testkit/servers';
import { eventually } from '@novacron/testkit/wait';
import { LaterEvents } from '../src/check/later-events.js';
import { Ledger } from '../src/ledger/ledger.js';
import { migrations } from '../src/migrations/all.js';
import { ActiveTenants } from '../src/warm/active-tenants.js';
import { eventOf } from './support/fake-orchestrator.js';

let servers: Awaited<ReturnType<typeof useTestServers>>;
let db: Database;
let ledger: Ledger;
/** System and timeline of the test's database. */
let origin: string;

/** Reads by the server that answered, since the start. */
const answered = () => {
  const { primary, replicas } = db.stats();
  return { primary: primary.reads, replica: replicas.reduce((sum, { reads }) => sum + reads, 0) };
};

beforeAll(async () => {
  servers = await useTestServers({ replica: true });
  const { postgres } = loadConfig(postgresEnv, servers.env('cache'));
  const login = { ...postgres, schema: 'cache' };
  await migrate({ ...login, role: 'owner', password: postgres.ownerPassword as string }, { migrations });
  db = createDatabase({ ...login, role: 'sys', password: postgres.sysPassword });
  ledger = new Ledger(db);
  await db.ping();
  origin = `${db.lineage?.systemId}.${db.lineage?.timeline}`;
  await eventually(() => expect(db.stats().replicas).toMatchObject([{ healthy: true }]));
});
afterAll(async () => {
  await db?.close();
  await servers?.stop();
});

describe('a ledger with a healthy replica', () => {
  it('answers the checker from the replica', async () => {
    const event = { ...eventOf(1), version: 2, position: `${origin}.1` };
    await ledger.record([event], 'stream');
    const known = [{ id: event.resourceId, version: 1 }];
    await eventually(async () => {
      const before = answered();
      expect(await new LaterEvents(ledger).of('vm', known, origin)).toEqual([
        { id: event.resourceId, version: 2, position: 1n },
      ]);
      expect(answered()).toEqual({ ...before, replica: before.replica + 1 });
    });
  });

  it('answers the warmer from the replica', async () => {
    await eventually(async () => {
      const before = answered();
      expect(await new ActiveTenants(ledger).latest(10)).toHaveLength(1);
      expect(answered()).toEqual({ ...before, replica: before.replica + 1 });
    });
  });

  it('shows a read what the same process recorded before it, whichever server answers', async () => {
    for (let seq = 2; seq < 12; seq += 1) {
      const tenantId = newId<string>();
      await ledger.record([{ ...eventOf(seq), tenantId }], 'stream');
      expect((await new ActiveTenants(ledger).latest(1))[0]).toBe(tenantId);
    }
  });
});
