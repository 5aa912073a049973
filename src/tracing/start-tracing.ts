import { Logger } from '@nestjs/common';
import { diag, DiagLogLevel, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { serviceVersion } from '../kernel/project-root';
import { setTracer } from '../kernel/tracer';
import { OpenTelemetryTracer } from './otel-tracer';

/*
 * OpenTelemetry's SDK, loaded only where an endpoint is set. It reads its own variables (OTEL_*), which the settings have checked before.
 * Spans wait in a bounded queue: while the collector is down the newest are dropped, and no response waits for it.
 */

/** How long a shutdown waits for the last spans to be sent. */
const FLUSH_MS = 2_000;
const REPEAT_MS = 60_000;

export interface Tracing {
  /** Sends the spans that are left. */
  close(): Promise<void>;
}

/** Must be called before the application is made. */
export function startTracing(toldUpstreams: readonly string[]): Tracing {
  diag.setLogger(failureLogger(), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const named = resourceFromAttributes({ 'service.name': 'larder', 'service.version': serviceVersion() });
  const provider = new NodeTracerProvider({
    resource: defaultResource()
      .merge(named)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  setTracer(new OpenTelemetryTracer(trace.getTracer('larder', serviceVersion()), new Set(toldUpstreams)));
  return {
    close: async () => {
      setTracer(undefined);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, FLUSH_MS)));
      await Promise.race([provider.shutdown().catch(() => undefined), late]); // the logger above has reported it
      clearTimeout(timer);
    },
  };
}

/** One line a minute at most: a collector that is down fails every few seconds. */
function failureLogger() {
  const logger = new Logger('Tracing');
  let reportedAt = -Infinity;
  const warn = (text: string): void => {
    if (performance.now() - reportedAt < REPEAT_MS) return;
    reportedAt = performance.now();
    logger.warn(`Spans were not exported: ${messageOf(text)} More of these are not logged for a minute.`);
  };
  return { error: warn, warn, info: () => undefined, debug: () => undefined, verbose: () => undefined };
}

/** The SDK reports an error as JSON, with its stack. */
function messageOf(text: string): string {
  try {
    const { message, code } = JSON.parse(text) as { message?: string; code?: string };
    return `${[message, code].filter(Boolean).join(' ')}.`;
  } catch {
    return `${text.split('\n', 1)[0] ?? ''}.`;
  }
}
