/** Whether Accept prefers JSON to plain text. `*` + `/*`, or no header, does not. */
export function prefersJson(accept: string | undefined): boolean {
  return quality(accept, 'application/json') > quality(accept, 'text/plain');
}

function quality(accept: string | undefined, type: string): number {
  for (const range of (accept ?? '').split(',')) {
    const [name = '', ...parameters] = range.split(';').map((text) => text.trim().toLowerCase());
    if (name !== type && name !== `${type.split('/')[0]}/*`) continue;
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    return q === undefined ? 1 : Number(q.slice(2)) || 0;
  }
  return 0;
}
