// A Jest reporter that leaves each package's totals where `npm test` adds them up, and sees to it that a run ends.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

// A failed test may leave a connection open, and with it Jest would stay for ever.
const LINGER_MS = 10_000;

export default class Totals {
  constructor(globalConfig) {
    this.package = basename(globalConfig.rootDir);
  }

  onRunComplete(_contexts, results) {
    this.endSoon(results.success ? 0 : 1);
    const directory = process.env.NOVACRON_TEST_RESULTS;
    if (!directory) return;
    // A test file that does not even load has no failed test of its own.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    mkdirSync(directory, { recursive: true });
    writeFileSync(
      join(directory, `${this.package}.json`),
      JSON.stringify({ passed: results.numPassedTests, failed }),
    );
  }

  /** Only what is still open lets this timer fire. */
  endSoon(code) {
    const end = () => {
      const open = process.getActiveResourcesInfo().join(', ');
      process.stderr.write(`the tests of ${this.package} left something open: ${open}\n`);
      process.exit(code);
    };
    setTimeout(end, LINGER_MS).unref();
  }
}
