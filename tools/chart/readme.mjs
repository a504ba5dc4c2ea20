// README.md of the chart: its tables are the comments of values.yaml that begin with `# --`.
const TEXT = `# The Helm chart of NovaCron

The control plane on Kubernetes 1.30 or newer: gateway, vm-orchestrator, metrics-ingest and cache-invalidator,
migrations, and host-agents where wanted. Postgres, NATS and Redis are yours, or run beside it for a trial.

\`\`\`sh
helm install novacron k8s/novacron --namespace novacron --create-namespace -f my-values.yaml
\`\`\`

How to install from nothing, upgrade, roll back and scale: [docs/kubernetes.md](../../docs/kubernetes.md). The least
that an installation says is [ci/minimal.yaml](ci/minimal.yaml), everything in one namespace is
[ci/trial.yaml](ci/trial.yaml).

## Values

A value that is not here is refused (\`values.schema.json\`).
`;

/** Keys of values.yaml with a \`# --\` comment: [{path, fallback, text}]. Knows block mappings of two spaces. */
export function documentedValues(yaml) {
  const found = [];
  const keys = [];
  let text;
  for (const line of yaml.split('\n')) {
    const comment = /^ *# -- (.*)$/.exec(line);
    if (comment) {
      text = comment[1];
      continue;
    }
    const key = /^( *)([\w.-]+):(?: (.*))?$/.exec(line);
    if (key) {
      keys.length = key[1].length / 2;
      keys.push(key[2]);
      if (text !== undefined) found.push({ path: keys.join('.'), fallback: key[3] ?? '', text });
    }
    text = undefined;
  }
  return found;
}

const cell = (value) => value.replaceAll('|', '\\|');

/** The whole text of README.md. */
export function readme(yaml) {
  const sections = Map.groupBy(documentedValues(yaml), ({ path }) => path.split('.')[0]);
  const tables = [...sections].map(([section, values]) => {
    const rows = values.map(({ path, fallback, text }) => {
      const shown = fallback === '' ? 'see values.yaml' : `\`${fallback}\``;
      return `| \`${path}\` | ${cell(shown)} | ${cell(text)} |\n`;
    });
    return `\n### ${section}\n\n| value | default | what it is |\n| --- | --- | --- |\n${rows.join('')}`;
  });
  return `<!-- Written by: npm run chart -- write -->\n\n${TEXT}${tables.join('')}`;
}
