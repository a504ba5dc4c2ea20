// Answers metrics.k8s.io and custom.metrics.k8s.io, behind the aggregator of the API server. metrics-server and the
// Prometheus adapter, which do this in a real cluster, need other versions of Kubernetes. A file has the load of each
// component: {"gateway": {"cpu": 6000, "memory": 300, "http_active_connections": 900}}. cpu (in millicores) and custom
// metrics are the sum of all pods, divided among the ready ones; memory is in MiB for each pod.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { kubectl } from './kube.mjs';

const { METRICS_PORT, METRICS_LOAD, METRICS_CERTIFICATE, METRICS_KEY } = process.env;
const CUSTOM = ['http_active_connections', 'novacron_metrics_intake_lag_seconds'];

const componentOf = ({ metadata }) => metadata.labels?.['app.kubernetes.io/component'];
const isReady = ({ metadata, status }) =>
  metadata.deletionTimestamp === undefined &&
  (status.conditions ?? []).some(({ type, status: value }) => type === 'Ready' && value === 'True');

/** The running pods of a selector, each with its share of the load. */
async function measuredPods(namespace, selector) {
  const load = JSON.parse(readFileSync(METRICS_LOAD, 'utf8'));
  const query = selector ? `?labelSelector=${encodeURIComponent(selector)}` : '';
  const pods = await kubectl(['get', '--raw', `/api/v1/namespaces/${namespace}/pods${query}`]);
  const { items = [] } = JSON.parse(pods.output);
  const running = items.filter(({ status }) => status.phase === 'Running');
  return running.map((pod) => {
    const own = load[componentOf(pod)] ?? {};
    const sharers = running.filter(
      (other) => componentOf(other) === componentOf(pod) && isReady(other),
    ).length;
    const share = (name) => (isReady(pod) ? (own[name] ?? 0) / sharers : 0);
    return { pod, share, memory: own.memory ?? 50 };
  });
}

function podMetrics({ pod, share, memory }) {
  return {
    metadata: { name: pod.metadata.name, namespace: pod.metadata.namespace, labels: pod.metadata.labels },
    timestamp: new Date().toISOString(),
    window: '15s',
    containers: pod.spec.containers.map(({ name }) => ({
      name,
      usage: { cpu: `${Math.round(share('cpu'))}m`, memory: `${memory}Mi` },
    })),
  };
}

function metricValue({ pod, share }, name, version) {
  return {
    describedObject: {
      kind: 'Pod',
      namespace: pod.metadata.namespace,
      name: pod.metadata.name,
      apiVersion: '/v1',
    },
    ...(version === 'v1beta1' ? { metricName: name } : { metric: { name, selector: null } }),
    timestamp: new Date().toISOString(),
    value: `${Math.round(share(name) * 1000)}m`,
  };
}

function resources(group, version) {
  const custom = CUSTOM.map((name) => ({ name: `pods/${name}`, kind: 'MetricValueList', verbs: ['get'] }));
  const pods = [{ name: 'pods', kind: 'PodMetrics', verbs: ['get', 'list'] }];
  const all = group === 'metrics.k8s.io' ? pods : custom;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: `${group}/${version}`,
    resources: all.map((one) => ({ singularName: '', namespaced: true, ...one })),
  };
}

/** Body for `/apis/GROUP/VERSION[/namespaces/NAMESPACE/pods[/*\/METRIC]]`, or undefined. */
async function answer(url) {
  const [apis, group, version, , namespace, , , metric] = url.pathname.split('/').filter(Boolean);
  if (apis !== 'apis' || !group?.endsWith('metrics.k8s.io')) return undefined;
  if (namespace === undefined) return resources(group, version);
  const pods = await measuredPods(namespace, url.searchParams.get('labelSelector'));
  const apiVersion = `${group}/${version}`;
  return group === 'metrics.k8s.io'
    ? { kind: 'PodMetricsList', apiVersion, metadata: {}, items: pods.map(podMetrics) }
    : {
        kind: 'MetricValueList',
        apiVersion,
        metadata: {},
        items: pods.map((pod) => metricValue(pod, metric, version)),
      };
}

// The API server has made its certificate by now.
const certificate = { cert: readFileSync(METRICS_CERTIFICATE), key: readFileSync(METRICS_KEY) };
https
  .createServer(certificate, (incoming, response) => {
    answer(new URL(incoming.url, 'https://localhost')).then(
      (body) => {
        response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body ?? {}));
      },
      (error) => {
        process.stderr.write(`${error.stack}\n`);
        response.writeHead(500).end();
      },
    );
  })
  .listen(Number(METRICS_PORT), '127.0.0.1');
