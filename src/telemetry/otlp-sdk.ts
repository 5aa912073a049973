import { Logger } from '@nestjs/common';
import { diag, DiagLogLevel } from '@opentelemetry/api';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
  type Resource,
} from '@opentelemetry/resources';
import { serviceVersion } from '../kernel/project-root';

/*
 * What traces and metrics have in common: OpenTelemetry's SDK, which reads its own variables (OTEL_*) that the settings have checked before.
 * No response waits for a collector.
 */

/** How long a shutdown waits for the last data to be sent. */
const FLUSH_MS = 2_000;
const REPEAT_MS = 60_000;

export interface Telemetry {
  /** Sends the data that are left. */
  close(): Promise<void>;
}

let resource: Resource | undefined;

/** Starts the log of failures, and names this process: `service.name`, `service.instance.id`, and what `OTEL_RESOURCE_ATTRIBUTES` says. */
export function telemetryResource(): Resource {
  if (resource) return resource;
  diag.setLogger(failureLogger(), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': 'larder', 'service.version': serviceVersion() }))
    .merge(detectResources({ detectors: [serviceInstanceIdDetector, envDetector] }));
  return resource;
}

/** Gives the collector a little time; a failure is logged already. */
export async function shutDown(provider: { shutdown(): Promise<void> }): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, FLUSH_MS)));
  await Promise.race([provider.shutdown().catch(() => undefined), late]);
  clearTimeout(timer);
}

/** One line a minute at most: a collector that is down fails every few seconds. */
function failureLogger() {
  const logger = new Logger('OpenTelemetry');
  let reportedAt = -Infinity;
  const warn = (text: string): void => {
    if (performance.now() - reportedAt < REPEAT_MS) return;
    reportedAt = performance.now();
    logger.warn(`Traces or metrics were not exported: ${messageOf(text)} More of these are not logged for a minute.`);
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
