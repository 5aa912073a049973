import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { shutDown, telemetryResource, type Telemetry } from './otlp-sdk';
import { RegistryProducer, type MetricRegistry } from './registry-producer';

export interface MetricExport {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Sends the metrics of this process, those of `/metrics`, to the collector; loaded only where `OTEL_METRICS_EXPORTER` is `otlp`. */
export function startMetrics(registry: MetricRegistry, { intervalMs, timeoutMs }: MetricExport): Telemetry {
  const resource = telemetryResource();
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(timeoutMs, intervalMs), // the reader takes no longer one
    metricProducers: [new RegistryProducer(registry, resource)],
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  return { close: () => shutDown(provider) };
}
