import { fileURLToPath } from 'node:url';

// One Jest set-up for every package: ES modules, compiled by swc, decorators as tsc emits them.
export default {
  testEnvironment: 'node',
  // Generous: a busy machine is no failure, and a wait in a test ends before this. What must come in time is
  // tested against its own deadline.
  testTimeout: 120_000,
  passWithNoTests: true,
  reporters: ['default', fileURLToPath(new URL('tools/jest-totals.mjs', import.meta.url))],
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['<rootDir>/src/**/*.test.ts', '<rootDir>/test/**/*.test.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
};
