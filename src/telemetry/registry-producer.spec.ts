import { emptyResource } from '@opentelemetry/resources';
import { DataPointType } from '@opentelemetry/sdk-metrics';
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { RegistryProducer } from './registry-producer';

describe('metrics of the registry', () => {
  const registry = new Registry();
  const registers = [registry];
  const counter = new Counter({ name: 'sent_bytes_total', help: 'Sent.', labelNames: ['to'], registers });
  const histogram = new Histogram({
    ...{ name: 'took_seconds', help: 'Took.', labelNames: ['of', 'by'], buckets: [0.1, 1, 10], registers },
  });
  const gauge = new Gauge({ name: 'level', help: 'Level.', registers });
  new Counter({ name: 'never_total', help: 'Never counted.', labelNames: ['to'], registers });
  new Summary({ name: 'summed', help: 'OpenTelemetry has no such kind.', registers });

  beforeAll(() => {
    counter.inc({ to: 'a' }, 5);
    counter.inc({ to: 'b' });
    for (const value of [0.05, 0.5, 0.5, 100]) histogram.observe({ of: 'x', by: '1' }, value);
    histogram.observe({ by: '1', of: 'y' }, 10);
    gauge.set(-2.5);
  });

  const collected = async () => {
    const { resourceMetrics } = await new RegistryProducer(registry, emptyResource()).collect();
    return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  };
  const metric = async (name: string) => (await collected()).find(({ descriptor }) => descriptor.name === name);
  const points = async (name: string) =>
    (await metric(name))!.dataPoints.map(({ attributes, value }) => ({ attributes, value }));

  it('keep name, text and unit; counters are monotonic sums since the start of the process', async () => {
    const sums = await metric('sent_bytes_total');
    expect(sums).toMatchObject({
      descriptor: { description: 'Sent.', unit: 'By' },
      ...{ dataPointType: DataPointType.SUM, isMonotonic: true },
    });
    const [seconds, nanos] = sums!.dataPoints[0]!.startTime;
    expect(seconds * 1_000 + nanos / 1e6).toBeCloseTo(performance.timeOrigin, 2);
    expect(await points('sent_bytes_total')).toEqual([
      { attributes: { to: 'a' }, value: 5 },
      { attributes: { to: 'b' }, value: 1 },
    ]);
  });

  it('have buckets that count alone, one histogram for each set of labels', async () => {
    expect(await metric('took_seconds')).toMatchObject({
      descriptor: { unit: 's' },
      dataPointType: DataPointType.HISTOGRAM,
    });
    const boundaries = [0.1, 1, 10];
    expect(await points('took_seconds')).toEqual([
      {
        attributes: { of: 'x', by: '1' },
        value: { buckets: { boundaries, counts: [1, 2, 0, 1] }, sum: 101.05, count: 4 },
      },
      {
        attributes: { of: 'y', by: '1' },
        value: { buckets: { boundaries, counts: [0, 0, 1, 0] }, sum: 10, count: 1 },
      },
    ]);
  });

  it('are read anew for each export', async () => {
    expect(await points('level')).toEqual([{ attributes: {}, value: -2.5 }]);
    gauge.set(7);
    expect(await points('level')).toEqual([{ attributes: {}, value: 7 }]);
    gauge.set(NaN);
    expect(await points('level')).toEqual([]);
  });

  it('leave out what has no value, and kinds that OpenTelemetry does not have', async () => {
    const names = (await collected()).map(({ descriptor }) => descriptor.name);
    expect(names).toEqual(['sent_bytes_total', 'took_seconds', 'level']);
  });
});
