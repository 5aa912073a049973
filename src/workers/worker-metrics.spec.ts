import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { WorkerMetrics, type WorkerMetric } from './worker-metrics';

/** A worker that has answered so many requests. */
function worker(requests: number) {
  const registry = new Registry();
  const registers = [registry];
  const count = new Counter({ name: 'requests_total', help: 'x', labelNames: ['outcome'], registers });
  count.inc({ outcome: 'HIT' }, requests);
  new Histogram({ name: 'seconds', help: 'x', buckets: [1], registers }).observe(0.5);
  new Gauge({ name: 'entries', help: 'x', registers }).set(requests);
  new Gauge({ name: 'up', help: 'x', registers, aggregator: 'min' }).set(1);
  const tell = async () => structuredClone(await registry.getMetricsAsJSON()) as unknown as readonly WorkerMetric[];
  return { count, tell };
}

const lines = async (metrics: WorkerMetrics): Promise<string[]> =>
  (await metrics.read()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('the metrics of several workers', () => {
  it('are sums, or what else their aggregator says', async () => {
    const metrics = new WorkerMetrics();
    metrics.join(1, worker(2).tell);
    metrics.join(2, worker(3).tell);
    expect(await lines(metrics)).toEqual(
      expect.arrayContaining(['requests_total{outcome="HIT"} 5', 'seconds_count 2', 'entries 5', 'up 1']),
    );
  });

  it('keep what a worker has counted that is gone, and forget its gauges', async () => {
    const metrics = new WorkerMetrics();
    for (const id of [1, 2, 3]) metrics.join(id, worker(id).tell);
    await metrics.read();
    metrics.leave(1);
    metrics.leave(2);
    expect(await lines(metrics)).toEqual(
      expect.arrayContaining([
        ...['requests_total{outcome="HIT"} 6', 'seconds_bucket{le="1"} 3', 'seconds_count 3', 'seconds_sum 1.5'],
        ...['entries 3', 'up 1'],
      ]),
    );
  });

  it('are the last ones of a worker that does not answer', async () => {
    const metrics = new WorkerMetrics();
    const slow = worker(2);
    let isSlow = false;
    metrics.join(1, () => (isSlow ? Promise.reject(new Error('no answer')) : slow.tell()));
    metrics.join(2, worker(3).tell);
    await metrics.read();
    slow.count.inc({ outcome: 'HIT' });
    isSlow = true;
    expect(await lines(metrics)).toContain('requests_total{outcome="HIT"} 5');
    isSlow = false;
    expect(await lines(metrics)).toContain('requests_total{outcome="HIT"} 6');
  });

  it('do not count a worker twice that dies while it is asked', async () => {
    const metrics = new WorkerMetrics();
    const { tell } = worker(2);
    metrics.join(1, tell);
    await metrics.read();
    const reading = lines(metrics);
    metrics.leave(1);
    expect(await reading).toContain('requests_total{outcome="HIT"} 2');
  });
});
