'use strict';
const { createRequire, isBuiltin } = require('node:module');
const { sep } = require('node:path');
const { compileFunction } = require('node:vm');
const { default: Runtime } = require('jest-runtime');

const PACKAGES = `${sep}node_modules${sep}`;

/**
 * Jest's runtime, but that packages are loaded by Node and once for a worker, not once for each spec file: half of a small spec's
 * time was the loading of Nest, Fastify and their kind. The service's own modules are loaded anew for each spec file as ever.
 */
class PackagesOnceRuntime extends Runtime {
  constructor(...options) {
    super(...options);
    const { executor } = this.cjsLoader;
    executor.compile = (source, filename) => compileFunction(source, executor.injectedModuleParameters, { filename });
  }

  requireModule(from, name, options, isActual) {
    if (name !== undefined && !options?.isInternalModule && !isBuiltin(name)) {
      const path = this._resolution.resolveCjs(from, name);
      if (path.includes(PACKAGES)) return createRequire(from)(name);
    }
    return super.requireModule(from, name, options, isActual);
  }
}

module.exports = PackagesOnceRuntime;
