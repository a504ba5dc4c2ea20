// Renders the chart over the matrix and collects the faults of each rendering.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { findTool, KUBERNETES } from '../go-programs.mjs';
import { capture } from '../progress.mjs';
import { RELEASE } from './matrix.mjs';
import { faultsBetween } from './references.mjs';

/** Runs one of the chart's programs; {code, output}. */
export const run = (name, args, input) => capture(findTool(name), args, { input });

async function template(chart, folder, { values, apiVersions }) {
  const files = values.flatMap((object, index) => {
    const file = join(folder, `${index}.json`);
    writeFileSync(file, JSON.stringify(object));
    return ['-f', file];
  });
  const apis = apiVersions.flatMap((api) => ['--api-versions', api]);
  return run('helm', ['template', RELEASE, chart, '--kube-version', KUBERNETES, ...apis, ...files]);
}

/** The manifests of a rendering. */
export function documentsOf(text) {
  return text
    .split(/^---\n/m)
    .map((part) => part.replace(/^# Source: .*\n/, '').trim())
    .filter(Boolean);
}

const parsed = new Map();

/** Parses a manifest. Most manifests repeat between renderings, so the result is kept. */
function objectOf(text) {
  if (!parsed.has(text)) parsed.set(text, parse(text));
  return parsed.get(text);
}

/** Renders every combination; {documents: each once, faults: lines}. `faultsOf` checks the objects of one rendering. */
export async function renderAll(chart, combinations, faultsOf = faultsBetween) {
  const documents = new Set();
  const faults = [];
  const waiting = [...combinations];
  async function worker() {
    const folder = mkdtempSync(join(tmpdir(), 'novacron-chart-'));
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { code, output } = await template(chart, folder, next);
      const found = documentsOf(output);
      for (const text of code === 0 ? found : []) documents.add(text);
      const wrong = code === 0 ? faultsOf(found.map(objectOf)) : [output.trim()];
      faults.push(...wrong.map((fault) => `${next.name}: ${fault}`));
    }
    rmSync(folder, { recursive: true, force: true });
  }
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  return { documents: [...documents], faults };
}
