// Checks that each of our processes gets an environment that its configuration accepts, without unused variables.
import { join } from 'node:path';
import { root } from '../toolchain.mjs';

const dist = (...path) => import(join(root, ...path));
const { loadConfig } = await dist('packages', 'config', 'dist', 'load.js');
const { migrationEnv } = await dist('packages', 'config', 'dist', 'fragments.js');

function variablesOf(tree) {
  return Object.values(tree).flatMap((entry) =>
    typeof entry === 'object' ? (entry.variable ?? variablesOf(entry)) : [],
  );
}

const APPS = ['gateway', 'vm-orchestrator', 'metrics-ingest', 'cache-invalidator', 'host-agent'];
const settingsOf = new Map();
for (const app of APPS) {
  const exported = Object.values(await dist('apps', app, 'dist', 'config.js'));
  settingsOf.set(
    app,
    exported.find((value) => variablesOf(value).length > 0),
  );
}

/** The environment of a container; undefined when a Secret that it reads is not in the rendering. */
function environment({ env = [] }, secrets) {
  const values = {};
  for (const { name, value, valueFrom } of env) {
    const { secretKeyRef } = valueFrom ?? {};
    const encoded = secretKeyRef && secrets.get(secretKeyRef.name)?.[secretKeyRef.key];
    if (secretKeyRef && encoded === undefined) return undefined;
    values[name] =
      encoded === undefined ? (value ?? 'from the node') : Buffer.from(encoded, 'base64').toString();
  }
  return values;
}

/** The settings of a container's program. Undefined for foreign programs, and for the seed, which has settings of its own. */
function settingsFor({ image, args = [], command }) {
  const app = APPS.find((name) => image.split(/[@:]/)[0].endsWith(`/${name}`));
  if (app === undefined || command !== undefined || args[1] === 'dist/seed.js') return undefined;
  return args[1] === 'dist/migrate.js' ? migrationEnv : settingsOf.get(app);
}

/** Finds passwords whose verifiers bootstrap.sql reads, but which its Job does not set. */
function missingPasswords(objects) {
  const sql = objects.find(({ kind, data }) => kind === 'ConfigMap' && data['bootstrap.sql'])?.data[
    'bootstrap.sql'
  ];
  const job = objects.find(({ spec }) => spec?.template?.spec.containers[0].name === 'bootstrap');
  const given = new Set(job?.spec.template.spec.initContainers?.[0].env.map(({ name }) => name));
  const asked = [...(sql ?? '').matchAll(/^\\getenv (\S+) (\S+)$/gm)];
  // The operator of Postgres makes the role for its replicas.
  const missing = asked.filter(
    ([, variable, name]) => variable !== 'replication_password' && !given.has(name),
  );
  return missing.map(([, , name]) => `bootstrap.sql reads ${name}, which its Job does not give`);
}

/** Returns the faults of the environments in one rendering. */
export function wrongEnvironments(objects) {
  const secrets = new Map(
    objects.filter(({ kind }) => kind === 'Secret').map(({ metadata, data }) => [metadata.name, data]),
  );
  const faults = missingPasswords(objects);
  for (const { metadata, spec } of objects) {
    for (const container of spec?.template?.spec.containers ?? []) {
      const settings = settingsFor(container);
      const env = settings && environment(container, secrets);
      if (!env) continue;
      try {
        loadConfig(settings, env);
      } catch (error) {
        faults.push(`${metadata.name}: ${error.message}`);
      }
      const known = new Set(variablesOf(settings));
      const vain = Object.keys(env).filter((name) => name.startsWith('NOVACRON_') && !known.has(name));
      if (vain.length > 0) faults.push(`${metadata.name} reads no ${vain.join(', ')}`);
    }
  }
  return faults;
}
