// Prints the findings of the lint rules; fails on errors, not on warnings.
import { root } from '../toolchain.mjs';
import { textsOf } from './files.mjs';
import { findingsIn } from './lint-rules.mjs';

const findings = [...textsOf(root)].flatMap(([path, text]) => findingsIn(path, text));
for (const { path, line, severity, text } of findings) {
  process.stdout.write(`${line ? `${path}:${line}` : path} ${severity}: ${text}\n`);
}
process.exitCode = findings.some(({ severity }) => severity === 'error') ? 1 : 0;
