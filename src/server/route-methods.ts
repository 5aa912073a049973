import type { FastifyInstance } from 'fastify';
import { PORT_CONSTRAINT } from './operator-port';

/** Which methods the routes know for a path, so that a wrong one is answered 405 with `Allow` (RFC 9110 §15.5.6), not 404. */
export class RouteMethods {
  private readonly routes: {
    readonly pattern: RegExp;
    readonly methods: readonly string[];
    readonly isForOperators: boolean;
  }[] = [];

  collect(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', ({ url, method, constraints = {} }) => {
      const methods = Array.isArray(method) ? method : [method];
      // A route that takes every path says nothing about this one.
      if (url !== '*' && url !== '/*')
        this.routes.push({ pattern: toPattern(url), methods, isForOperators: PORT_CONSTRAINT in constraints });
    });
  }

  /** Sorted, empty where no route knows the path. On the public port the operators' routes do not exist. */
  allowed(path: string, isPublic: boolean): readonly string[] {
    const methods = this.routes
      .filter(({ pattern, isForOperators }) => pattern.test(path) && !(isPublic && isForOperators))
      .flatMap((route) => route.methods);
    return [...new Set(methods)].sort();
  }
}

function toPattern(url: string): RegExp {
  const source = url
    .split('/')
    .map((part) => (part === '*' ? '.+' : part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('/');
  return new RegExp(`^${source}/?$`);
}
