import { once } from 'node:events';
import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  request as requestHttp,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A client of one balancer. It decodes nothing, follows no redirects, and a broken connection is an error. */
export class Client {
  private readonly agent: HttpAgent | HttpsAgent;

  /** @param ca uses TLS and trusts this certificate */
  constructor(
    readonly port: number,
    private readonly ca?: Buffer,
    /** The maximum number of kept connections. */
    connections = 50,
  ) {
    const options = { keepAlive: true, maxSockets: connections };
    this.agent = ca === undefined ? new HttpAgent(options) : new HttpsAgent({ ...options, ca });
  }

  /** The answer as soon as its head has arrived. */
  async open(path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<IncomingMessage> {
    const request = this.ca === undefined ? requestHttp : requestHttps;
    const asked = request({ host: '127.0.0.1', port: this.port, path, method, headers, agent: this.agent });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return answer;
  }

  async ask(path: string, asked?: Asked): Promise<Answered> {
    const answer = await this.open(path, asked);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
  }

  close(): void {
    this.agent.destroy();
  }
}

/** A JSON body without a checked type. */
export function json(answer: Answered): ReturnType<typeof JSON.parse> {
  return JSON.parse(answer.body.toString());
}
