// A Jest reporter that leaves each package's totals where `npm test` adds them up.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export default class Totals {
  constructor(globalConfig) {
    this.package = basename(globalConfig.rootDir);
  }

  onRunComplete(_contexts, results) {
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
}
