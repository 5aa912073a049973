import type { RequestMethod } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyHttpOptions, FastifyInstance } from 'fastify';
import type { FastPathGate } from './fast-path-gate';
import type { HttpListeners } from './http-server';

type MiddlewareFactory = Awaited<ReturnType<FastifyAdapter['createMiddlewareFactory']>>;
type WithUse = FastifyInstance & { use?: (...args: unknown[]) => unknown };

/**
 * The Fastify adapter with a gate for the fast path. It reports to the gate what Nest adds outside Fastify's hooks: CORS, security headers
 * and middleware.
 */
export class LarderAdapter extends FastifyAdapter {
  private isUseWatched = false;
  /** While Nest registers a middleware whose paths it matches itself. */
  private isNestMatching = false;

  constructor(
    options: FastifyHttpOptions<FastifyInstance['server']>,
    readonly gate: FastPathGate,
    readonly listeners: HttpListeners,
  ) {
    super(options);
  }

  override async init(): Promise<void> {
    await super.init();
    this.watchUse();
  }

  override enableCors(...args: Parameters<FastifyAdapter['enableCors']>): void {
    this.gate.closeFor('enableCors()');
    super.enableCors(...args);
  }

  override registerSecurityHook(...args: Parameters<FastifyAdapter['registerSecurityHook']>): void {
    this.gate.closeFor('useSecurityHeaders() or enableCsrfProtection()');
    super.registerSecurityHook(...args);
  }

  override setOnRequestHook(...args: Parameters<FastifyAdapter['setOnRequestHook']>): void {
    this.gate.closeFor('setOnRequestHook()');
    super.setOnRequestHook(...args);
  }

  override setOnResponseHook(...args: Parameters<FastifyAdapter['setOnResponseHook']>): void {
    this.gate.closeFor('setOnResponseHook()');
    super.setOnResponseHook(...args);
  }

  override use(...args: Parameters<FastifyAdapter['use']>): ReturnType<FastifyAdapter['use']> {
    return super.use(...args.map((one: unknown) => this.gate.recording(one)));
  }

  /** Middleware of modules: Nest matches their paths, and calls them for matching requests. */
  override async createMiddlewareFactory(method: RequestMethod): Promise<MiddlewareFactory> {
    const create = await super.createMiddlewareFactory(method);
    this.watchUse();
    return (path, callback) => {
      this.isNestMatching = true;
      try {
        create(path, this.gate.recording(callback));
      } finally {
        this.isNestMatching = false;
      }
    };
  }

  /** Plugins may call Fastify's own `use`, of which each scope has a copy. */
  private watchUse(): void {
    const fastify = this.getInstance<WithUse>();
    if (this.isUseWatched || fastify.use === undefined) return;
    this.isUseWatched = true;
    this.recordUse(fastify);
    fastify.addHook('onRegister', (scope) => this.recordUse(scope));
  }

  private recordUse(scope: WithUse): void {
    const { use } = scope;
    if (use === undefined || !Object.hasOwn(scope, 'use')) return;
    const record = (one: unknown): unknown => (this.isNestMatching ? one : this.gate.recording(one));
    scope.use = function (...args: unknown[]): unknown {
      return use.apply(this, args.map(record));
    };
  }
}
