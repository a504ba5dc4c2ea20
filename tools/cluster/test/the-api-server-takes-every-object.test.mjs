import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { stringify } from 'yaml';
import { combinations, UNRESTRICTED } from '../../chart/matrix.mjs';
import { documentsOf, renderAll } from '../../chart/render.mjs';
import { kubectl } from '../kube.mjs';
import { chart } from './release.mjs';

// The cluster lacks the definitions of these; `npm run chart -- check` compares them with their schemas.
const ELSEWHERE = /^apiVersion: (keda\.sh|gateway\.networking\.k8s\.io|monitoring\.coreos\.com)\//m;
const isExempt = (text) =>
  UNRESTRICTED.some((each) => {
    const [kind, name] = each.split('/');
    return text.includes(`\nkind: ${kind}\n`) && text.includes(`\n  name: ${name}\n`);
  });
const warnings = (output) => output.match(/would violate PodSecurity/g)?.length ?? 0;

describe('the API server', () => {
  let known = [];
  const apply = (documents) =>
    kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], documents.join('\n---\n'));

  before(async () => {
    const { documents, faults } = await renderAll(chart, combinations({ all: false }), () => []);
    assert.deepEqual(faults, []);
    const labels = { 'pod-security.kubernetes.io/warn': 'restricted' };
    const namespace = stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'every', labels } });
    assert.equal((await kubectl(['apply', '-f', '-'], namespace)).code, 0);
    known = documents
      .flatMap((text) => documentsOf(text))
      .filter((text) => !ELSEWHERE.test(text))
      .map((text) => text.replace(/^( *namespace: )default$/m, '$1every'));
  });

  it('accepts every object of every pair of values, with strict validation, and finds every pod restricted', async () => {
    const { code, output } = await apply(known.filter((text) => !isExempt(text)));
    assert.equal(code, 0, output);
    assert.equal(warnings(output), 0, output);
  });

  it('accepts the exempt pods, and warns that they are not restricted', async () => {
    const exempt = known.filter(isExempt);
    assert.ok(exempt.length > 0);
    const { code, output } = await apply(exempt);
    assert.equal(code, 0, output);
    assert.ok(warnings(output) > 0, output);
  });
});
