import { GithubSimulator } from '../../simulator';
import { OtlpCollector, type ReceivedMetric } from '../support/otlp-collector';
import { request } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';

describe('metrics by OTLP', () => {
  let github: GithubSimulator;
  let collector: OtlpCollector;
  let service: ServiceProcess;

  beforeAll(async () => {
    [github, collector] = await Promise.all([GithubSimulator.start({ latencyMs: 0 }), OtlpCollector.start()]);
    service = await ServiceProcess.start({
      env: {
        GITHUB_API_URL: github.url,
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collectors-own',
        OTEL_TRACES_EXPORTER: 'none',
        OTEL_METRICS_EXPORTER: 'otlp',
        OTEL_METRIC_EXPORT_INTERVAL: '100',
        OTEL_SERVICE_NAME: 'larder-test',
      },
    });
  });
  afterAll(async () => {
    await service.stop();
    await github.stop();
    collector.stop();
  });

  const latest = (name: string): ReceivedMetric | undefined =>
    collector.exports.at(-1)?.find((metric) => metric.name === name);
  const pointOf = (name: string, outcome: string) =>
    latest(name)?.points.find(({ attributes }) => attributes['outcome'] === outcome);

  it('are those of /metrics, under the same names', async () => {
    for (let times = 0; times < 3; times++) await request(`${service.url}/github/users/redis`);
    await waitUntil(() => pointOf('larder_requests_total', 'HIT')?.value === 2, { what: 'the hits to be exported' });
    const requests = latest('larder_requests_total')!;
    expect(requests).toMatchObject({ kind: 'sum', temporality: 2, isMonotonic: true });
    expect(requests.description).toBe('Requests to the cache, by outcome.');
    const missed = pointOf('larder_requests_total', 'MISS')!;
    expect(missed).toMatchObject({ value: 1, attributes: { upstream: 'github', tier: 'upstream' } });
    expect(missed.startedAt).toBeLessThan(missed.at);
    const took = latest('larder_request_duration_seconds')!;
    expect(took).toMatchObject({ kind: 'histogram', temporality: 2, unit: 's' });
    const hits = pointOf('larder_request_duration_seconds', 'HIT')!;
    expect(hits.count).toBe(2);
    expect(hits.bucketCounts.reduce((sum, count) => sum + count)).toBe(2);
    expect(hits.bounds).toHaveLength(hits.bucketCounts.length - 1);
    const text = (await request(`${service.url}/metrics`)).body.toString();
    const shown = [...text.matchAll(/^# TYPE (\S+) .*\n\1/gm)].map(([, name]) => name!);
    expect(shown.filter((name) => latest(name) === undefined)).toEqual([]);
    expect(shown.length).toBeGreaterThan(40);
  });

  it('name the service and this process, with the collector’s own credential', () => {
    expect(latest('larder_requests_total')!.resource).toMatchObject({
      'service.name': 'larder-test',
      'service.instance.id': expect.stringMatching(/^[\da-f-]{36}$/),
    });
    expect(collector.received.at(-1)!.headers['authorization']).toBe('Bearer collectors-own');
    expect(collector.spans).toEqual([]);
  });

  it('are sent a last time at the end', async () => {
    await request(`${service.url}/github/users/nodejs`);
    await service.stop();
    expect(pointOf('larder_requests_total', 'MISS')?.value).toBe(2);
  });
});
