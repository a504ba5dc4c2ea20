// The chart rendered over the matrix, and what is wrong with what came out.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { RELEASE } from './matrix.mjs';
import { faultsBetween } from './references.mjs';
import { findTool, KUBERNETES } from './tools.mjs';

/** Runs a program with `input`; {code, output} with both of its streams. */
export function run(name, args, input = '') {
  return new Promise((done) => {
    const child = spawn(findTool(name), args);
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.stdin.on('error', () => undefined); // it ended without reading: its exit code says why
    child.on('error', (error) => done({ code: 1, output: error.message }));
    child.on('close', (code) => done({ code, output }));
    child.stdin.end(input);
  });
}

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

/** The object that a manifest is; most of them come again and again. */
function objectOf(text) {
  if (!parsed.has(text)) parsed.set(text, parse(text));
  return parsed.get(text);
}

/** Renders every combination; {documents: each once, faults: lines}. `faultsOf` looks at the objects of one of them. */
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
