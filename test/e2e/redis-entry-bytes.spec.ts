import { GithubSimulator } from '../../simulator';
import { RedisProcess } from '../support/redis-process';
import type { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ask, start } from './ask';

const PATHS = Array.from({ length: 20 }, (_, at) => [`/repos/owner-${at}`, `/github/users/reader-${at}`]).flat();
const METRIC = 'larder_redis_entry_bytes';

describe('the bytes of entries, in /metrics of two workers over Redis,', () => {
  let github: GithubSimulator;
  let redis: RedisProcess;
  let service: ServiceProcess;

  beforeAll(async () => {
    [github, redis] = await Promise.all([GithubSimulator.start({ latencyMs: 0 }), RedisProcess.start()]);
    const env = { REDIS_ENDPOINT_URI: redis.uri };
    service = await start(github, { WORKERS: '2', LOG_LEVEL: 'info', ...env });
    await waitUntil(() => (service.stdout().match(/"Connected\./g) ?? []).length >= 2, { what: 'both reach Redis' });
    // Each on a connection of its own, so that both workers have their share.
    await Promise.all(PATHS.map((path) => ask(service, path)));
    const isAll = async () => (await counts()).every((count) => count === PATHS.length);
    await waitUntil(isAll, { what: 'an index and a response of each' });
  });
  afterAll(async () => {
    await service.stop();
    await Promise.all([github.stop(), redis.stop()]);
  });

  /** The samples of GitHub's entries of a kind, by what is after the metric's name, such as `_sum`. */
  const read = async (kind: string) => {
    const { text } = await ask(service, '/metrics');
    const value = (suffix: string, le = ''): number => {
      const line = new RegExp(
        `^${METRIC}${suffix}\\{(?=.*upstream="github")(?=.*kind="${kind}")${le}.*\\} (\\d+)$`,
        'm',
      );
      return Number(line.exec(text)?.[1] ?? 0);
    };
    return { sum: value('_sum'), count: value('_count'), upTo: (le: string) => value('_bucket', `(?=.*le="${le}")`) };
  };
  /** What Redis itself says of the lengths of the values whose keys are so. */
  const stored = async (isMeant: (key: string) => boolean): Promise<number[]> => {
    const keys = (await redis.cli('--scan', '--pattern', 'larder:v4:e:*')).split('\n').filter(isMeant);
    return Promise.all(keys.map(async (key) => Number(await redis.command('STRLEN', key))));
  };

  const counts = async () => [(await read('index')).count, (await read('response')).count];
  /** The workers that have asked the upstream. */
  const loaders = () => [...service.stdout().matchAll(/^(?=.*"outcome":"MISS").*"worker":(\d+)/gm)].map(([, id]) => id);

  it('cover the entries of both replicas, indexes by themselves', async () => {
    await waitUntil(() => new Set(loaders()).size === 2, { what: 'the lines of both workers' });
    for (const [kind, isMeant] of [
      ['index', (key: string) => !key.includes('|')],
      ['response', (key: string) => key.includes('|')],
    ] as const) {
      const lengths = await stored(isMeant);
      const { sum, count, upTo } = await read(kind);
      expect([kind, count, sum]).toEqual([kind, lengths.length, lengths.reduce((all, one) => all + one, 0)]);
      for (const le of [256, 1_024, 16_777_216])
        expect([kind, le, upTo(String(le))]).toEqual([kind, le, lengths.filter((length) => length <= le).length]);
      expect(upTo('\\+Inf')).toBe(count);
    }
  });

  it('do not grow by hits', async () => {
    const before = await counts();
    const again = await Promise.all(PATHS.map((path) => ask(service, path)));
    expect(new Set(again.map(({ headers }) => headers['x-cache']))).toEqual(new Set(['HIT']));
    expect(await counts()).toEqual(before);
  });
});
