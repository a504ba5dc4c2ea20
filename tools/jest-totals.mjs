// A Jest reporter that writes each package's totals, and the time of each file, for `npm test` to sum up. It also
// makes sure that a run ends.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
// A failed test may leave a connection open, which would keep Jest alive without limit.
const LINGER_MS = 10_000;

export default class Totals {
  constructor(globalConfig) {
    this.package = basename(globalConfig.rootDir);
  }

  onRunComplete(_contexts, results) {
    this.endSoon(results.success ? 0 : 1);
    const directory = process.env.NOVACRON_TEST_RESULTS;
    if (!directory) return;
    // A test file that fails to load has no failed test of its own.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const files = results.testResults.map(({ testFilePath, perfStats }) => ({
      path: relative(root, testFilePath),
      ms: perfStats.end - perfStats.start,
    }));
    mkdirSync(directory, { recursive: true });
    writeFileSync(
      join(directory, `${this.package}.json`),
      JSON.stringify({ passed: results.numPassedTests, failed, files }),
    );
  }

  /** The timer is not referenced: it fires only when something else is still open. */
  endSoon(code) {
    const end = () => {
      const open = process.getActiveResourcesInfo().join(', ');
      process.stderr.write(`the tests of ${this.package} left something open: ${open}\n`);
      process.exit(code);
    };
    setTimeout(end, LINGER_MS).unref();
  }
}
