import type { IncomingMessage, ServerResponse } from 'node:http';

/*
 * The port to tracing. Without a tracer nothing is decorated and nothing is paid; `src/telemetry` holds the one that speaks OpenTelemetry, and
 * nothing else knows OpenTelemetry.
 */

export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Span {
  /** Runs the work within the span, which ends with it; an error marks it. */
  run<T>(work: () => Promise<T>): Promise<T>;
  set(attributes: SpanAttributes): void;
  /** The fields that announce the span to another service (https://www.w3.org/TR/trace-context/). */
  contextFields(): readonly (readonly [name: string, value: string])[];
}

export interface Tracer {
  /** The names of the upstreams that get the trace context. */
  readonly toldUpstreams: ReadonlySet<string>;
  /** Handles the request within a span of its own. False: it is not sampled, and was not handled. */
  handle(request: IncomingMessage, response: ServerResponse, handler: () => void): boolean;
  /** A span within the current one; undefined where there is none. */
  start(name: string, kind: 'client' | 'internal', attributes: SpanAttributes): Span | undefined;
  /** Adds to the current span, if there is one. */
  annotate(attributes: SpanAttributes): void;
  /** Links the current span to one that it waits for. */
  link(to: Span): void;
}

let current: Tracer | undefined;

/** Must be called before the application is made: its parts are decorated as they are made. */
export function setTracer(tracer: Tracer | undefined): void {
  current = tracer;
}

/** Undefined unless traces are exported. */
export function currentTracer(): Tracer | undefined {
  return current;
}

/** Runs the work within a span, or without one. */
export function inSpan<T>(span: Span | undefined, work: () => Promise<T>): Promise<T> {
  return span ? span.run(work) : work();
}
