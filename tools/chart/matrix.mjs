// The combinations of values that the chart is rendered with: one choice from each row.
export const RELEASE = 'nc';

const servers = {
  external: {
    postgres: { primary: 'pg.example.com:5432', replicas: ['pg-1.example.com:5433*2'] },
    nats: { url: 'tls://nats.example.com' },
  },
  trial: {
    secrets: { generate: true },
    cnpg: { enabled: true, parameters: { work_mem: '8MB' } },
    nats: { enabled: true, replicas: 3 },
    valkey: { enabled: true },
    seed: { enabled: true },
  },
  'external, generated': {
    postgres: { primary: 'pg.example.com:5432' },
    nats: { url: 'nats://nats.example.com:4222' },
    redis: { url: 'redis://redis.example.com:6379' },
    secrets: { generate: true },
    bootstrap: { enabled: true, existingSecret: 'superuser' },
  },
};

const scaling = {
  'cpu and memory': {},
  adapter: { autoscaling: { source: 'prometheus-adapter' } },
  keda: { autoscaling: { source: 'keda' } },
  off: { serviceDefaults: { autoscaling: { enabled: false } } },
};

const edge = {
  'no edge': {},
  'ingress and route': {
    ingress: {
      enabled: true,
      className: 'nginx',
      hosts: ['vm.example.com'],
      tls: [{ secretName: 'tls', hosts: ['vm.example.com'] }],
    },
    httpRoute: {
      enabled: true,
      parentRefs: [{ name: 'public', namespace: 'gateways' }],
      hostnames: ['vm.example.com'],
    },
  },
};

const agents = {
  'no agents': {},
  'a simulated fleet': { hostAgents: { sim: { enabled: true } } },
  'qemu, privileged': {
    hostAgents: { qemu: { enabled: true, nodes: ['node-1'], image: { name: 'novacron/host-agent-qemu' } } },
  },
  'qemu, device plugin': {
    hostAgents: {
      sim: { enabled: true },
      qemu: {
        enabled: true,
        nodes: ['node-1'],
        image: { name: 'novacron/host-agent-qemu' },
        kvm: { mode: 'device-plugin' },
      },
    },
  },
};

const surroundings = {
  'policies, tracing': {
    telemetry: { otlpEndpoint: 'http://otel.example.com:4318', profiling: { enabled: true } },
    service: { trustedProxies: ['10.0.0.0/8', 'loopback'] },
    monitoring: { prometheusRule: { runbooksUrl: 'https://git.example.com/' } },
  },
  'no policies, digests, plain placement': {
    networkPolicy: { enabled: false },
    image: { registry: 'registry.example.com', pullSecrets: ['pull'] },
    serviceDefaults: {
      image: { digest: `sha256:${'0'.repeat(64)}` },
      nodeSelector: { 'node-type': null },
      antiAffinity: false,
      spreadOverZones: false,
    },
  },
};

const apis = { 'no monitoring API': [], 'monitoring API': ['monitoring.coreos.com/v1'] };

/** Pods that violate the restricted Pod Security Standard on purpose: they need folders and devices of their node. */
export const UNRESTRICTED = [`DaemonSet/${RELEASE}-novacron-host-agent-qemu`];

const rows = [apis, servers, scaling, edge, agents, surroundings];

function product() {
  return rows.reduce(
    (made, row) => made.flatMap((chosen) => Object.keys(row).map((name) => [...chosen, name])),
    [[]],
  );
}

const pairsOf = (names) =>
  names.flatMap((one, index) => names.slice(index + 1).map((other) => `${one}; ${other}`));

/** A few combinations that contain every pair of choices from two rows. */
function everyPair(all) {
  const missing = new Set(all.flatMap(pairsOf));
  const chosen = [];
  while (missing.size > 0) {
    const news = all.map((names) => pairsOf(names).filter((pair) => missing.has(pair)));
    const best = news.reduce((most, pairs, index) => (pairs.length > news[most].length ? index : most), 0);
    for (const pair of news[best]) missing.delete(pair);
    chosen.push(all[best]);
  }
  return chosen;
}

/** [{name, values: objects, later ones take precedence, apiVersions}]: all combinations, or a few that cover every pair. */
export function combinations({ all }) {
  return (all ? product() : everyPair(product())).map((names) => ({
    name: names.join('; '),
    values: names.slice(1).map((name, index) => rows[index + 1][name]),
    apiVersions: apis[names[0]],
  }));
}
