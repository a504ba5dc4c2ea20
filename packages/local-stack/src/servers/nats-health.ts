import { statfs } from 'node:fs/promises';
import { connect } from 'node:net';

const ANSWER_MS = 5_000;
/** Less room than this is a full disk: a start that recovers streams would fail on it. */
const ROOM_BYTES = 1_048_576;

/**
 * Whether JetStream answers for its streams. nats-server 2.9 waits for itself for ever once a write met a full disk:
 * it still takes connections, but each request for the stream hangs until the server is started again.
 * While the disk of `dir` is full the answer is true, because a start would not help.
 */
export async function jetStreamWorks(nats: {
  readonly port: number;
  readonly password: string;
  readonly dir: string;
}): Promise<boolean> {
  const { bavail, bsize } = await statfs(nats.dir);
  return bavail * bsize < ROOM_BYTES || listsStreams(nats.port, nats.password);
}

/** Asks as the user `admin`, in the server's own protocol (docs.nats.io/reference/reference-protocols/nats-protocol). */
function listsStreams(port: number, password: string): Promise<boolean> {
  const inbox = '_INBOX.supervisor';
  const login = JSON.stringify({ user: 'admin', pass: password, verbose: false, pedantic: false });
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    const late = setTimeout(() => socket.destroy(), ANSWER_MS);
    let heard = '';
    socket.once('data', () =>
      socket.write(`CONNECT ${login}\r\nSUB ${inbox} 1\r\nPUB $JS.API.STREAM.LIST ${inbox} 0\r\n\r\n`),
    );
    socket.on('data', (chunk) => {
      heard += chunk.toString();
      if (heard.includes(`\r\nMSG ${inbox} `)) socket.destroy();
    });
    socket.once('error', () => undefined); // 'close' follows
    socket.once('close', () => {
      clearTimeout(late);
      done(heard.includes(`\r\nMSG ${inbox} `));
    });
  });
}
