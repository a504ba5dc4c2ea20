// A relay in a process of its own, for tests that kill it. Says `leading` once it does.
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { createDatabase } from '@novacron/postgres/database';
import { Relay } from '../dist/relay.js';

const { url, user, password } = JSON.parse(process.env.RELAY_NATS);
const nc = await connect({ servers: url, user, pass: password, inboxPrefix: `_INBOX.${user}` });
const database = createDatabase(JSON.parse(process.env.RELAY_DATABASE));
const warn = (about, message) => process.stderr.write(`${message} ${about.err}\n`);
const log = { warn, error: warn };
const relay = new Relay({ database, nc, js: jetstream(nc), service: 'orchestrator', log });
relay.start();
const timer = setInterval(() => {
  if (!relay.stats().leading) return;
  process.stdout.write('leading\n');
  clearInterval(timer);
}, 5);
