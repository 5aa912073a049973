import { inSpan, type Span, type Tracer } from '../kernel/tracer';
import type { UpstreamApi } from './upstream-api';
import type { UpstreamFetcher } from './upstream-fetcher';
import type { UpstreamRelay } from './upstream-relay';

const CONTEXT_FIELDS = new Set(['traceparent', 'tracestate']);

/**
 * Adds client spans to the requests to an upstream, and passes the trace context on where `TRACE_CONTEXT_UPSTREAM` names the upstream. A span has the path without
 * its query, which may hold a credential, and no field of the request.
 */
export function addCallSpans(relay: UpstreamRelay, fetcher: UpstreamFetcher, api: UpstreamApi, tracer: Tracer): void {
  const [send, get] = [relay.send.bind(relay), fetcher.get.bind(fetcher)];
  const { host, protocol, pathname } = new URL(api.baseUrl);
  const [server = host, port] = host.split(/:(?=\d+$)/);
  const start = (method: string, target: string): Span | undefined =>
    tracer.start(method, 'client', {
      'http.request.method': method,
      'url.full': `${protocol}//${host}${pathname.replace(/\/$/, '')}${target.split('?', 1)[0] ?? ''}`,
      'server.address': server,
      'server.port': Number(port ?? (protocol === 'https:' ? 443 : 80)),
      'larder.upstream': api.name,
    });
  const fieldsOf = (span: Span | undefined) =>
    tracer.toldUpstreams.has(api.name) ? (span?.contextFields() ?? []) : [];
  const ended = <Answer extends { readonly status: number }>(span: Span | undefined, answer: Answer): Answer => {
    span?.set({ 'http.response.status_code': answer.status });
    return answer;
  };

  relay.send = (request) => {
    const span = start(request.method, request.path);
    const fields = fieldsOf(span);
    const headers = fields.length > 0 ? [...withoutContext(request.headers), ...fields.flat()] : request.headers;
    return inSpan(span, async () => ended(span, await send({ ...request, headers })));
  };
  fetcher.get = (request) => {
    const span = start('GET', request.path);
    const headers = { ...request.headers, ...Object.fromEntries(fieldsOf(span)) };
    return inSpan(span, async () => ended(span, await get({ ...request, headers })));
  };
}

/** Names and values alternate. */
function withoutContext(headers: readonly string[]): string[] {
  return headers.filter((_one, at) => !CONTEXT_FIELDS.has((headers[at - (at % 2)] ?? '').toLowerCase()));
}
