// Checks what no schema contains: names, labels, ports and keys that two objects of one rendering must share.

const SELECTING = ['PodDisruptionBudget', 'Deployment', 'StatefulSet', 'DaemonSet'];
const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'];

const named = ({ kind, metadata }) => `${kind} ${metadata.name}`;
const matches = (labels, wanted) => Object.entries(wanted).every(([key, value]) => labels?.[key] === value);
const containersOf = ({ spec }) => [...(spec.initContainers ?? []), ...spec.containers];

/** Every value under `key`, at any depth. */
function* valuesOf(tree, key) {
  if (tree === null || typeof tree !== 'object') return;
  for (const [name, value] of Object.entries(tree)) {
    if (name === key) yield value;
    yield* valuesOf(value, key);
  }
}

class Rendering {
  constructor(objects) {
    this.objects = objects;
    this.names = new Set(objects.map(named));
    this.pods = objects.filter(({ kind }) => WORKLOADS.includes(kind)).map(({ spec }) => spec.template);
    this.release = objects[0]?.metadata.labels?.['app.kubernetes.io/instance'];
    this.secrets = new Map(
      objects.filter(({ kind }) => kind === 'Secret').map(({ metadata, data }) => [metadata.name, data]),
    );
  }

  podsWith(labels) {
    return this.pods.filter((pod) => matches(pod.metadata.labels, labels));
  }

  hasPort(pods, name) {
    const ports = pods.flatMap((pod) => containersOf(pod).flatMap(({ ports: open = [] }) => open));
    return typeof name === 'number' || ports.some((port) => port.name === name);
  }
}

function* wrongSelectors(rendering) {
  for (const object of rendering.objects) {
    const { kind, spec } = object;
    let selectors = SELECTING.includes(kind) ? [spec.selector.matchLabels] : [];
    if (kind === 'Service') selectors = [spec.selector];
    if (kind === 'NetworkPolicy')
      selectors = [...valuesOf(spec, 'podSelector')].map(({ matchLabels }) => matchLabels);
    for (const labels of selectors) {
      // Pods outside the release (DNS, the operator's Postgres) are not in the rendering.
      if (labels['app.kubernetes.io/instance'] !== rendering.release) continue;
      if (rendering.podsWith(labels).length === 0)
        yield `${named(object)} selects no pod: ${JSON.stringify(labels)}`;
    }
  }
}

function* wrongPorts(rendering) {
  for (const object of rendering.objects) {
    const { kind, spec } = object;
    const pods = (labels) => rendering.podsWith(labels ?? {});
    const asked =
      kind === 'Service'
        ? spec.ports.map(({ targetPort }) => [pods(spec.selector), targetPort])
        : kind === 'NetworkPolicy'
          ? (spec.ingress ?? []).flatMap(({ ports = [] }) =>
              ports.map(({ port }) => [pods(spec.podSelector.matchLabels), port]),
            )
          : WORKLOADS.includes(kind)
            ? ['httpGet', 'tcpSocket'].flatMap((probe) =>
                [...valuesOf(spec, probe)].map(({ port }) => [[spec.template], port]),
              )
            : [];
    for (const [found, port] of asked) {
      if (!rendering.hasPort(found, port))
        yield `${named(object)} asks for port ${port}, which no container opens`;
    }
  }
}

/** [kind, name] of every object that another one names, for kinds that the chart makes itself. */
function* referencesOf({ kind, spec }, rendering) {
  for (const { kind: target, name } of valuesOf(spec, 'scaleTargetRef')) yield [target, name];
  for (const name of valuesOf(spec, 'serviceAccountName')) yield ['ServiceAccount', name];
  for (const { claimName } of valuesOf(spec, 'persistentVolumeClaim'))
    yield ['PersistentVolumeClaim', claimName];
  for (const { name } of valuesOf(spec, 'configMap')) yield ['ConfigMap', name];
  if (kind === 'StatefulSet') yield ['Service', spec.serviceName];
  if (kind === 'Ingress') for (const { name } of valuesOf(spec, 'service')) yield ['Service', name];
  for (const backends of valuesOf(spec, 'backendRefs'))
    for (const { name } of backends) yield ['Service', name];
  if (rendering.secrets.size === 0) return;
  for (const { secretName } of valuesOf(spec, 'secret')) if (secretName) yield ['Secret', secretName];
}

function* wrongReferences(rendering) {
  for (const object of rendering.objects) {
    for (const [kind, name] of referencesOf(object, rendering)) {
      if (!rendering.names.has(`${kind} ${name}`))
        yield `${named(object)} names ${kind} ${name}, which is not there`;
    }
    if (rendering.secrets.size === 0) continue;
    for (const { name, key } of valuesOf(object.spec, 'secretKeyRef')) {
      // Secrets that the operator or the user makes are not in the rendering.
      if (!name.startsWith(`${rendering.release}-`) || name.endsWith('-superuser')) continue;
      if (rendering.secrets.get(name)?.[key] === undefined)
        yield `${named(object)} reads ${key} of Secret ${name}, which lacks it`;
    }
  }
}

/** Finds two objects with one name, and two autoscalers of one Deployment. */
function* conflicts(rendering) {
  const keys = rendering.objects.flatMap((object) => [
    named(object),
    ...[...valuesOf(object.spec, 'scaleTargetRef')].map(({ name }) => `autoscaler of ${name}`),
  ]);
  for (const key of new Set(keys.filter((one, index) => keys.indexOf(one) < index)))
    yield `${key} is there twice`;
}

/** Returns the faults between the objects of one rendering. */
export function faultsBetween(objects) {
  const rendering = new Rendering(objects);
  return [wrongSelectors, wrongPorts, wrongReferences, conflicts].flatMap((find) => [...find(rendering)]);
}
