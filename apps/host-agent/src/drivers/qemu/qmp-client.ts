import { withDeadline } from '@novacron/async/deadline';
import { open } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { DriverError } from '../driver.js';

export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

interface QmpMessage extends Partial<QmpEvent> {
  readonly QMP?: unknown;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { class: string; desc: string };
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const COMMAND_TIMEOUT_MS = 5_000;

/**
 * One connection to a QEMU monitor: newline-separated JSON over a unix socket
 * (https://www.qemu.org/docs/master/interop/qmp-spec.html). QEMU serves one client at a time.
 */
export class QmpClient {
  readonly #waiting = new Map<number, Waiting>();
  readonly #greeting = Promise.withResolvers<void>();
  /** Resolves when the connection has ended for any reason. */
  readonly closed: Promise<void>;
  #lastId = 0;
  #rest = '';

  private constructor(
    private readonly socket: Socket,
    private readonly onEvent: (event: QmpEvent) => void,
  ) {
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('QEMU has closed its monitor')));
  }

  /**
   * @param folder with QEMU's `qmp.sock`; its path may be longer than the 107 bytes of a socket's address
   * @throws Error when QEMU does not listen or does not greet in time
   */
  static async connect(folder: string, onEvent: (event: QmpEvent) => void): Promise<QmpClient> {
    const directory = await open(folder, 'r');
    try {
      const socket = createConnection(`/proc/self/fd/${directory.fd}/qmp.sock`);
      const client = new QmpClient(socket, onEvent);
      try {
        await within(client.#greeting.promise, CONNECT_TIMEOUT_MS, 'QEMU did not greet');
        await client.execute('qmp_capabilities');
        return client;
      } catch (error) {
        client.close();
        throw error;
      }
    } finally {
      await directory.close();
    }
  }

  /**
   * @returns the command's result
   * @throws DriverError when QEMU refuses, with its message as the cause; Error when it does not answer in time
   */
  async execute(command: string, args: object = {}, timeoutMs = COMMAND_TIMEOUT_MS): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    if (this.socket.destroyed) this.#fail(new Error('QEMU has closed its monitor'));
    else this.socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    try {
      return await within(answer, timeoutMs, `QEMU did not answer ${command}`);
    } finally {
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.socket.destroy();
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') this.#take(JSON.parse(line) as QmpMessage);
  }

  #take(message: QmpMessage): void {
    if (message.QMP !== undefined) this.#greeting.resolve();
    if (message.event !== undefined) this.onEvent(message as QmpEvent);
    if (message.id === undefined) return;
    const waiting = this.#waiting.get(message.id);
    if (message.error) waiting?.reject(refusal(message.error));
    else waiting?.resolve(message.return);
  }

  #fail(error: Error): void {
    this.#greeting.reject(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

/** QEMU's message may name files. */
function refusal({ class: kind, desc }: { class: string; desc: string }): DriverError {
  return new DriverError('driver_error', 'QEMU refused the command', true, {
    cause: new Error(`${kind}: ${desc}`),
  });
}

function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return withDeadline(
    () => promise,
    ms,
    () => new Error(`${what} within ${ms} ms`),
  );
}
