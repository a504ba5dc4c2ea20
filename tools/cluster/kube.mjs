// kubectl and helm for the cluster, and a wait for a condition.
import { join } from 'node:path';
import { findTool } from '../go-programs.mjs';
import { capture } from '../progress.mjs';
import { root } from '../toolchain.mjs';

const kubeconfig = join(root, '.novacron-cluster', 'admin.conf');

const run = (name, args, input) =>
  capture(findTool(name), args, { input, env: { ...process.env, KUBECONFIG: kubeconfig } });

export const kubectl = (args, input) => run('kubectl', args, input);
export const helm = (args) => run('helm', args);

/** The objects of a kind in a namespace, optionally selected by labels (`a=b,c=d`). */
export async function list(namespace, kind, labels = '') {
  const { code, output } = await kubectl(['-n', namespace, 'get', kind, '-l', labels, '-o', 'json']);
  if (code !== 0) throw new Error(output);
  return JSON.parse(output).items;
}

/** An object by name, or undefined. */
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
