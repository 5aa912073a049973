import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import helmet, { type HelmetOptions } from 'helmet';
import { isOperatorRoute } from './operator-port';

/*
 * Security header fields (helmet's) of what a browser shows or an operator uses: the page, Swagger UI, the admin API, metrics. The responses
 * of cached routes and gateways have the origin's fields and `nosniff`; their routes have no hook.
 */

type Policy = Readonly<Record<string, readonly string[]>>;

const NONE = ["'none'"];
const SELF = ["'self'"];
/** Nothing may frame it, and it loads nothing. */
const NOTHING: Policy = { 'default-src': NONE, 'base-uri': NONE, 'form-action': NONE, 'frame-ancestors': NONE };
/** No inline script or style, no third party. */
const PAGE: Policy = {
  ...NOTHING,
  ...{ 'script-src': SELF, 'style-src': SELF, 'img-src': ["'self'", 'data:'] },
  ...{ 'font-src': SELF, 'connect-src': SELF, 'form-action': SELF },
};

/**
 * Must be called before any route is declared.
 *
 * @param publicUrl where Swagger UI sends requests, if not to its own origin
 */
export function addSecurityHeaders(fastify: FastifyInstance, publicUrl: string | undefined): void {
  const connect = [...SELF, ...(publicUrl === undefined ? [] : [new URL(publicUrl).origin])];
  // Swagger UI has inline styles.
  const docs: Policy = { ...PAGE, 'style-src': ["'self'", "'unsafe-inline'"], 'connect-src': connect };
  const [ofPage, ofDocs, ofOthers] = [PAGE, docs, NOTHING].map(hookFor) as [Hook, Hook, Hook];
  fastify.addHook('onRoute', (options) => {
    if (!isOperatorRoute(options.url)) return;
    const [, first = ''] = options.url.toLowerCase().split('/');
    const hook = first === 'docs' ? ofDocs : first === '' || first === 'assets' ? ofPage : ofOthers;
    options.onRequest = [hook, ...[options.onRequest ?? []].flat()];
  });
}

type Hook = onRequestHookHandler;

function hookFor(directives: Policy): Hook {
  const options: HelmetOptions = {
    contentSecurityPolicy: { useDefaults: false, directives },
    // For the proxy or the operator to decide: it would bind every service of the host, on any port (RFC 6797 §8.2).
    strictTransportSecurity: false,
    xFrameOptions: { action: 'deny' },
  };
  const setFields = helmet(options);
  return (request, reply, done) => setFields(request.raw, reply.raw, (error?: unknown) => done(error as Error));
}
