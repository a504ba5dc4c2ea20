import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const ICON = 'favicon-32x32.png';
/** The files of swagger-ui that the page needs, with their types. All come from here, so the page works offline. */
const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  [ICON]: 'image/png',
};
const START = `window.onload = () => SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true, persistAuthorization: true });`;

interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
}

/** The page with all that it loads, by path. */
export interface Docs {
  readonly page: string;
  readonly icon: Buffer;
  readonly assets: ReadonlyMap<string, Asset>;
}

/** Reads swagger-ui's files, and names each by its content. */
export function readDocs(): Docs {
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
