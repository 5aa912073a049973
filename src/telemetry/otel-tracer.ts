import { subscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span as OtelSpan,
  type Tracer as OtelTracer,
} from '@opentelemetry/api';
import type { Span, SpanAttributes, Tracer } from '../kernel/tracer';

/*
 * The port in terms of OpenTelemetry's API, by its semantic conventions for HTTP
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
 */

const KINDS = { client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

export class OpenTelemetryTracer implements Tracer {
  private readonly requests = new WeakMap<IncomingMessage, OtelSpan>();
  private readonly routed = new WeakSet<OtelSpan>();

  constructor(
    private readonly tracer: OtelTracer,
    readonly toldUpstreams: ReadonlySet<string>,
  ) {
    // Fastify says which route a request has (https://fastify.dev/docs/latest/Reference/Hooks/#diagnostics-channel-hooks).
    subscribe('tracing:fastify.request.handler:start', (message) => {
      const { request, route } = message as { request: { raw: IncomingMessage }; route?: { url?: string } };
      const span = this.requests.get(request.raw);
      if (!span || route?.url === undefined) return;
      this.routed.add(span);
      span.updateName(`${request.raw.method ?? ''} ${route.url}`).setAttribute('http.route', route.url);
    });
  }

  handle(request: IncomingMessage, response: ServerResponse, handler: () => void): boolean {
    const { method = '', url = '', headers, socket, httpVersion } = request;
    const parent = propagation.extract(ROOT_CONTEXT, headers);
    const attributes = {
      'http.request.method': method,
      'url.scheme': 'encrypted' in socket ? 'https' : 'http',
      'network.protocol.version': httpVersion,
    };
    const span = this.tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
    if (!span.isRecording()) return false;
    this.requests.set(request, span);
    response.once('close', () => {
      const { statusCode, writableFinished } = response;
      // Nothing has read the path of an unknown route, and one with a credential is refused with 400.
      if (this.routed.has(span) && statusCode !== 400) span.setAttribute('url.path', pathOf(url));
      span.setAttribute('http.response.status_code', statusCode);
      if (statusCode >= 500)
        span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(statusCode));
      else if (!writableFinished) span.setAttribute('error.type', 'client_disconnected');
      span.end();
    });
    const own = trace.setSpan(parent, span);
    context.bind(own, request); // its body arrives in the connection's context
    context.with(own, handler);
    return true;
  }

  start(name: string, kind: 'client' | 'internal', attributes: SpanAttributes): Span | undefined {
    if (trace.getActiveSpan()?.isRecording() !== true) return undefined;
    const within = context.active();
    const span = this.tracer.startSpan(name, { kind: KINDS[kind], attributes: { ...attributes } }, within);
    return new OpenTelemetrySpan(span, trace.setSpan(within, span));
  }

  annotate(attributes: SpanAttributes): void {
    trace.getActiveSpan()?.setAttributes({ ...attributes });
  }

  link(to: Span): void {
    const span = trace.getActiveSpan();
    if (!(to instanceof OpenTelemetrySpan) || !span?.isRecording()) return;
    const linked = to.span.spanContext();
    if (linked.traceId !== span.spanContext().traceId) span.addLink({ context: linked }); // its own load is below it
  }
}

/** Of the absolute form too, whose authority may name a user (RFC 9112 §3.2.2). */
function pathOf(target: string): string {
  return target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0] ?? '';
}

class OpenTelemetrySpan implements Span {
  constructor(
    readonly span: OtelSpan,
    private readonly within: Context,
  ) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await context.with(this.within, work);
    } catch (error) {
      const { name, code } = error as { name?: string; code?: unknown };
      const type = typeof code === 'string' ? code : (name ?? 'error');
      this.span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', type);
      throw error;
    } finally {
      this.span.end();
    }
  }

  set(attributes: SpanAttributes): void {
    this.span.setAttributes({ ...attributes });
  }

  contextFields(): readonly (readonly [name: string, value: string])[] {
    const { traceId, spanId, traceFlags, traceState } = this.span.spanContext();
    const parent = ['traceparent', `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`] as const;
    const state = traceState?.serialize() ?? '';
    return state === '' ? [parent] : [parent, ['tracestate', state]];
  }
}
