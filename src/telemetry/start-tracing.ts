import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { serviceVersion } from '../kernel/project-root';
import { setTracer } from '../kernel/tracer';
import { OpenTelemetryTracer } from './otel-tracer';
import { shutDown, telemetryResource, type Telemetry } from './otlp-sdk';

/*
 * Traces, loaded only where an endpoint is set. Spans wait in a bounded queue: while the collector is down the newest are dropped.
 */

/** Must be called before the application is made. */
export function startTracing(toldUpstreams: readonly string[]): Telemetry {
  const provider = new NodeTracerProvider({
    resource: telemetryResource(),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  setTracer(new OpenTelemetryTracer(trace.getTracer('larder', serviceVersion()), new Set(toldUpstreams)));
  return {
    close: () => {
      setTracer(undefined);
      return shutDown(provider);
    },
  };
}
