'use strict';
const { availableParallelism } = require('node:os');

/** swc turns everything to CommonJS, so that Nest 12 (ESM only) loads under Jest without flags; `tsc --noEmit` checks the types. */
const transform = {
  '^.+\\.(t|j|mj)s$': [
    '@swc/jest',
    {
      jsc: {
        target: 'es2022',
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true },
        keepClassNames: true,
      },
      module: { type: 'commonjs' },
      sourceMaps: 'inline',
    },
  ],
};

const project = (name, testMatch, more = {}) => ({
  displayName: name,
  rootDir: __dirname,
  testEnvironment: 'node',
  testMatch,
  transform,
  // ESM-only packages that a CommonJS test must load: Nest 12 itself; Octokit, which two tests speak to the gateway with, and three of
  // what it is made of.
  transformIgnorePatterns: [
    '/node_modules/(?!(@nestjs|@octokit|universal-user-agent|before-after-hook|content-type)/)',
  ],
  // A dynamic import names the file that it will be.
  moduleNameMapper: { '^((?:\\.\\./)+src/.*)\\.js$': '$1' },
  setupFiles: ['<rootDir>/test/quiet-logger.ts', '<rootDir>/test/own-environment.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  ...more,
});

/** Packages are loaded once for a worker. */
const packagesOnce = {
  testEnvironment: '<rootDir>/test/jest/one-realm.environment.js',
  runtime: '<rootDir>/test/jest/packages-once.runtime.js',
};

const withProcesses = { globalSetup: '<rootDir>/test/support/processes.setup.ts' };

module.exports = {
  testTimeout: 90_000, // only of what hangs: a machine may be slow
  // Many specs wait more than they compute: for processes, sockets, deadlines.
  maxWorkers: Math.max(3, availableParallelism()),
  testSequencer: '<rootDir>/test/jest/processes-first.sequencer.js',
  projects: [
    project(
      'unit',
      [
        '<rootDir>/src/**/*.spec.ts',
        '<rootDir>/simulator/**/*.spec.ts',
        '<rootDir>/web/**/*.spec.ts',
        '<rootDir>/test/contract/**/*.spec.ts',
      ],
      packagesOnce,
    ),
    project(
      'integration',
      [
        '<rootDir>/test/integration/**/*.spec.ts',
        '<rootDir>/test/support-specs/**/*.spec.ts',
        '<rootDir>/test/race/*.spec.ts',
      ],
      { ...withProcesses, ...packagesOnce },
    ),
    project('e2e', ['<rootDir>/test/e2e/**/*.spec.ts'], { ...withProcesses, ...packagesOnce }),
    project('browser', ['<rootDir>/test/browser/**/*.spec.ts'], withProcesses),
  ],
};
