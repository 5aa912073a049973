'use strict';
const { ModernFakeTimers } = require('@jest/fake-timers');
const { ModuleMocker } = require('jest-mock');

/**
 * The environment of the specs: the globals of Node itself instead of a context of their own, so that packages loaded once for a
 * worker (`packages-once.runtime.js`) share their classes (Error, Array, Promise) with every spec. What a spec changes in the
 * process, its environment above all, is put back after it.
 */
class OneRealmEnvironment {
  constructor({ projectConfig }) {
    this.global = globalThis;
    this.moduleMocker = new ModuleMocker(globalThis);
    this.fakeTimers = null;
    this.fakeTimersModern = new ModernFakeTimers({ config: projectConfig, global: globalThis });
    this.before = {
      env: { ...process.env },
      exit: process.exit,
      console: Object.getOwnPropertyDescriptor(globalThis, 'console'),
    };
  }

  async setup() {}

  async teardown() {
    this.fakeTimersModern.dispose();
    const { env, exit, console } = this.before;
    for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
    Object.assign(process.env, env);
    process.exit = exit;
    Object.defineProperty(globalThis, 'console', console);
  }

  exportConditions() {
    return ['node', 'node-addons'];
  }

  /** Only asked whether there is one: `packages-once.runtime.js` compiles the specs where it runs itself. */
  getVmContext() {
    return globalThis;
  }
}

module.exports = OneRealmEnvironment;
