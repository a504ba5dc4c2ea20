import { until } from '@novacron/testkit/wait';
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A service in a process of its own. */
export class Child {
  output = '';
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(readonly process: ChildProcess) {
    process.stdout?.on('data', (text: Buffer) => (this.output += text.toString()));
    process.stderr?.on('data', (text: Buffer) => (this.output += text.toString()));
    this.ended = new Promise((resolve) => process.once('exit', (code, signal) => resolve({ code, signal })));
  }

  static start(kind: 'http' | 'rpc', env: Record<string, string>): Child {
    const file = fileURLToPath(new URL('./child-service.mjs', import.meta.url));
    return new Child(spawn(process.execPath, [file, kind], { env: { PATH: process.env['PATH'], ...env } }));
  }

  until(condition: () => boolean | Promise<boolean>): Promise<void> {
    return until(condition, undefined, () => this.output);
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

/** Status and body of a URL; status 0 when the connection is refused. */
export async function get(url: string): Promise<{ status: number; body: string; connection: string | null }> {
  try {
    const response = await fetch(url);
    return {
      status: response.status,
      body: await response.text(),
      connection: response.headers.get('connection'),
    };
  } catch {
    return { status: 0, body: '', connection: null };
  }
}
