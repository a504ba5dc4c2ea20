// The objects of the cluster before any installation: nodes, a storage class, and the metrics APIs.

const capacity = { cpu: '8', memory: '32Gi', pods: '110', 'ephemeral-storage': '100Gi' };

const node = (index) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: `node-${index}`,
    annotations: { 'kwok.x-k8s.io/node': 'fake' },
    labels: {
      'kubernetes.io/hostname': `node-${index}`,
      'kubernetes.io/os': 'linux',
      'node-type': 'compute-optimized',
      'topology.kubernetes.io/zone': `zone-${index % 3}`,
    },
  },
  status: { allocatable: capacity, capacity },
});

const storageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'kubernetes.io/host-path',
};

/** Lets the aggregator send groups of APIs to a process on this machine. */
function metricsApis(port) {
  const service = { name: 'metrics', namespace: 'kube-system', port };
  const common = { service, insecureSkipTLSVerify: true, groupPriorityMinimum: 100 };
  const group = (name, version, versionPriority) => ({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${version}.${name}` },
    spec: { ...common, group: name, version, versionPriority },
  });
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'metrics', namespace: 'kube-system' },
      spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ name: 'https', port }] },
    },
    group('metrics.k8s.io', 'v1beta1', 100),
    group('custom.metrics.k8s.io', 'v1beta1', 100),
    group('custom.metrics.k8s.io', 'v1beta2', 200),
  ];
}

/** Lets the API server store CloudNativePG's objects; kubeconform checks their fields. */
const postgresClusters = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'clusters.postgresql.cnpg.io' },
  spec: {
    group: 'postgresql.cnpg.io',
    scope: 'Namespaced',
    names: { kind: 'Cluster', plural: 'clusters', singular: 'cluster', listKind: 'ClusterList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

/** All objects, in the order of their application. */
export function fleet({ nodes, metricsPort }) {
  return [
    ...Array.from({ length: nodes }, (_, index) => node(index)),
    storageClass,
    postgresClusters,
    ...metricsApis(metricsPort),
  ];
}
