import { ValueType, type HrTime } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type CollectionResult,
  type DataPoint,
  type HistogramMetricData,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import { serviceVersion } from '../kernel/project-root';

/** A metric as prom-client's `getMetricsAsJSON()` returns it. */
interface RegisteredMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly RegisteredValue[];
}

interface RegisteredValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** For a histogram: with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string;
}

export interface MetricRegistry {
  getMetricsAsJSON(): Promise<unknown>;
}

type Descriptor = MetricData['descriptor'];
type HistogramValue = HistogramMetricData['dataPoints'][number]['value'];

const UNITS: readonly (readonly [suffix: RegExp, unit: string])[] = [
  [/_seconds(?:_total)?$/, 's'],
  [/_bytes(?:_total)?$/, 'By'],
];

/**
 * The metrics of a Prometheus registry for OpenTelemetry's SDK, which reads them for each export: each is defined once, for `/metrics`, and has
 * the same name here (https://opentelemetry.io/docs/specs/otel/metrics/sdk/#metricproducer). All are cumulative since the start of the process.
 */
export class RegistryProducer implements MetricProducer {
  private readonly startTime = hrTime(performance.timeOrigin);

  constructor(
    private readonly registry: MetricRegistry,
    private readonly resource: Resource,
  ) {}

  async collect(): Promise<CollectionResult> {
    const registered = (await this.registry.getMetricsAsJSON()) as readonly RegisteredMetric[];
    const endTime = hrTime(Date.now());
    const metrics = registered.flatMap((metric) => this.dataOf(metric, endTime) ?? []);
    const scopeMetrics = [{ scope: { name: 'larder', version: serviceVersion() }, metrics }];
    return { resourceMetrics: { resource: this.resource, scopeMetrics }, errors: [] };
  }

  /** Undefined for a kind that OpenTelemetry has no data point of, and for a metric without values. */
  private dataOf({ name, help, type, values }: RegisteredMetric, endTime: HrTime): MetricData | undefined {
    const unit = UNITS.find(([suffix]) => suffix.test(name))?.[1] ?? '';
    const descriptor: Descriptor = { name, description: help, unit, valueType: ValueType.DOUBLE };
    const data = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE };
    const point = <T>(labels: RegisteredValue['labels'], value: T): DataPoint<T> => {
      const attributes = Object.fromEntries(Object.entries(labels).map(([label, one]) => [label, String(one)]));
      return { startTime: this.startTime, endTime, attributes, value };
    };
    const numbers = () =>
      values.filter(({ value }) => Number.isFinite(value)).map(({ labels, value }) => point(labels, value));
    if (values.length === 0) return undefined;
    switch (type) {
      case 'counter':
        return { ...data, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: numbers() };
      case 'gauge':
        return { ...data, dataPointType: DataPointType.GAUGE, dataPoints: numbers() };
      case 'histogram': {
        const dataPoints = histogramsOf(values).map(({ labels, value }) => point(labels, value));
        return { ...data, dataPointType: DataPointType.HISTOGRAM, dataPoints };
      }
      default:
        return undefined;
    }
  }
}

interface LabelledHistogram {
  readonly labels: RegisteredValue['labels'];
  readonly value: HistogramValue;
}

/** Prometheus counts in each bucket those below it too, and gives each bucket a line; OpenTelemetry counts each bucket alone. */
function histogramsOf(values: readonly RegisteredValue[]): LabelledHistogram[] {
  const byLabels = new Map<string, { labels: RegisteredValue['labels']; lines: RegisteredValue[] }>();
  for (const line of values) {
    const { le: _bound, ...labels } = line.labels;
    const id = JSON.stringify(Object.entries(labels).sort());
    const lines = byLabels.get(id)?.lines;
    if (lines) lines.push(line);
    else byLabels.set(id, { labels, lines: [line] });
  }
  return [...byLabels.values()].map(({ labels, lines }) => {
    const valueOf = (part: string): number => lines.find(({ metricName }) => metricName?.endsWith(part))?.value ?? 0;
    const bounds = lines
      .filter(({ labels: { le } }) => le !== undefined && le !== '+Inf')
      .map(({ labels: { le }, value }) => ({ bound: Number(le), below: value }))
      .sort((one, other) => one.bound - other.bound);
    const below = [...bounds.map((one) => one.below), valueOf('_count')];
    const counts = below.map((count, at) => count - (below[at - 1] ?? 0));
    const buckets = { boundaries: bounds.map(({ bound }) => bound), counts };
    return { labels, value: { buckets, sum: valueOf('_sum'), count: valueOf('_count') } };
  });
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)];
}
