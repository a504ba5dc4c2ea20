import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { combinations } from '../../chart/matrix.mjs';
import { documentsOf, renderAll } from '../../chart/render.mjs';
import { kubectl } from '../kube.mjs';
import { chart } from './release.mjs';

// Definitions of these are not on the cluster: `npm run chart -- check` holds them against their schemas.
const ELSEWHERE = /^apiVersion: (keda\.sh|gateway\.networking\.k8s\.io|monitoring\.coreos\.com)\//m;

describe('the API server', () => {
  it('takes every object of every pair of values, with strict validation', async () => {
    const { documents, faults } = await renderAll(chart, combinations({ all: false }), () => []);
    assert.deepEqual(faults, []);
    const namespace = stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'every' } });
    assert.equal((await kubectl(['apply', '-f', '-'], namespace)).code, 0);
    const known = documents
      .flatMap((text) => documentsOf(text))
      .filter((text) => !ELSEWHERE.test(text))
      .map((text) => text.replace(/^( *namespace: )default$/m, '$1every'));
    const { code, output } = await kubectl(
      ['apply', '--dry-run=server', '--validate=strict', '-f', '-'],
      known.join('\n---\n'),
    );
    assert.equal(code, 0, output);
  });
});
