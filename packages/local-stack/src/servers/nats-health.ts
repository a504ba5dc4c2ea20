import { statfs } from 'node:fs/promises';
import { connect } from 'node:net';

const ANSWER_MS = 5_000;
/** With less free space the disk counts as full, because a start that recovers streams would fail. */
const ROOM_BYTES = 1_048_576;

/**
 * Whether JetStream answers requests about streams. nats-server 2.9 deadlocks when a write finds the disk full: it
 * accepts connections, but each request about the stream hangs until a restart.
 * True while the disk of `dir` is full, because a restart would not help.
 */
export async function jetStreamWorks(nats: {
  readonly port: number;
  readonly password: string;
  readonly dir: string;
}): Promise<boolean> {
  const { bavail, bsize } = await statfs(nats.dir);
  return bavail * bsize < ROOM_BYTES || listsStreams(nats.port, nats.password);
}

/** Requests the stream list as user `admin`, in the NATS protocol (docs.nats.io/reference/reference-protocols/nats-protocol). */
function listsStreams(port: number, password: string): Promise<boolean> {
  const inbox = '_INBOX.supervisor';
  const login = JSON.stringify({ user: 'admin', pass: password, verbose: false, pedantic: false });
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    const late = setTimeout(() => socket.destroy(), ANSWER_MS);
    let received = '';
    socket.once('data', () =>
      socket.write(`CONNECT ${login}\r\nSUB ${inbox} 1\r\nPUB $JS.API.STREAM.LIST ${inbox} 0\r\n\r\n`),
    );
    socket.on('data', (chunk) => {
      received += chunk.toString();
      if (received.includes(`\r\nMSG ${inbox} `)) socket.destroy();
    });
    socket.once('error', () => undefined); // 'close' follows
    socket.once('close', () => {
      clearTimeout(late);
      done(received.includes(`\r\nMSG ${inbox} `));
    });
  });
}
