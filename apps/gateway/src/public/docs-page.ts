import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { ServiceError } from '@novacron/contracts/errors';

const ICON = 'favicon-32x32.png';
/** What the page needs of swagger-ui's files, with their types. Everything is served from here: it works offline. */
const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  [ICON]: 'image/png',
};
const START = `window.onload = () => SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true, persistAuthorization: true });`;
const POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'";
/** The name says the content: whoever has it, a CDN too, need never ask again. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
}

/** What the page loads, by the path that it is served at. */
interface Docs {
  readonly page: string;
  readonly icon: Buffer;
  readonly assets: ReadonlyMap<string, Asset>;
}

/** Serves the API's documentation at /docs. The files are read when the first one asks: 1.5 MB that nobody may want. */
export function serveDocs(fastify: FastifyInstance): void {
  let read: Docs | undefined;
  const docs = () => (read ??= readDocs());
  fastify.get('/docs', (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('Content-Security-Policy', POLICY)
      // The page is small and names the files of this very version.
      .header('Cache-Control', 'public, no-cache')
      .send(docs().page),
  );
  // Browsers ask for it by themselves, whatever they show.
  fastify.get('/favicon.ico', (_request, reply) =>
    reply.type('image/png').header('Cache-Control', 'public, max-age=86400').send(docs().icon),
  );
  fastify.get<{ Params: { name: string } }>('/docs/assets/:name', (request, reply) => {
    const asset = docs().assets.get(request.params.name);
    // Of another version, which another gateway may have; never to be kept.
    if (asset === undefined) throw new ServiceError('not_found', 'There is no such file in this version.');
    return reply.type(asset.type).header('Cache-Control', IMMUTABLE).send(asset.bytes);
  });
}

function readDocs(): Docs {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve('@fastify/swagger-ui/package.json')), 'static');
  const assets = new Map<string, Asset>();
  const add = (file: string, type: string, bytes: Buffer): string => {
    const [, stem = file, suffix = ''] = /^(.*)(\.\w+)$/.exec(file) ?? [];
    const name = `${stem}.${hash('sha256', bytes, 'hex').slice(0, 16)}${suffix}`;
    assets.set(name, { type, bytes });
    return `/docs/assets/${name}`;
  };
  const icon = readFileSync(join(folder, ICON));
  const [css, bundle, link] = Object.entries(FILES).map(([file, type]) =>
    add(file, type, readFileSync(join(folder, file))),
  );
  const start = add('start.js', 'text/javascript; charset=utf-8', Buffer.from(START));
  const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>NovaCron API</title>
<link rel="stylesheet" href="${css}"><link rel="icon" href="${link}"></head>
<body><div id="ui"></div><script src="${bundle}"></script><script src="${start}"></script></body></html>
`;
  return { page, icon, assets };
}
