// kubectl and helm at the cluster, and waiting for what it shows.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../toolchain.mjs';
import { findTool } from './programs.mjs';

const kubeconfig = join(root, '.novacron-cluster', 'admin.conf');

/** Runs a program at the cluster with `input`; {code, output} with both of its streams. */
function run(name, args, input = '') {
  return new Promise((done) => {
    const child = spawn(findTool(name), args, { env: { ...process.env, KUBECONFIG: kubeconfig } });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.stdin.on('error', () => undefined); // it ended without reading: its exit code says why
    child.on('error', (error) => done({ code: 1, output: error.message }));
    child.on('close', (code) => done({ code: code ?? 1, output }));
    child.stdin.end(input);
  });
}

export const kubectl = (args, input) => run('kubectl', args, input);
export const helm = (args) => run('helm', args);

/** Objects of a kind in a namespace, perhaps by labels (`a=b,c=d`). */
export async function list(namespace, kind, labels = '') {
  const { code, output } = await kubectl(['-n', namespace, 'get', kind, '-l', labels, '-o', 'json']);
  if (code !== 0) throw new Error(output);
  return JSON.parse(output).items;
}

/** One object by name, or undefined. */
export async function get(namespace, kind, name) {
  const { code, output } = await kubectl(['-n', namespace, 'get', kind, name, '-o', 'json']);
  return code === 0 ? JSON.parse(output) : undefined;
}

/** Resolves to true when `condition` holds, or to false after `ms`. */
export async function until(condition, ms) {
  const end = performance.now() + ms;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() > end) return false;
    await new Promise((next) => setTimeout(next, 250));
  }
}
