import type { FiguresDocument } from './events.documents';
import { FiguresHistory, MAX_SAMPLES } from './figures-history';
import type { ProcessSample } from './process-sample';

const START = 1_700_000_000_000;

const sample = (replica: string, at: number, hits: number, more: Partial<ProcessSample> = {}): ProcessSample => ({
  ...{ replica, pid: 1, startedAt: 0, version: '0.1.0', at },
  requests: { HIT: hits },
  latency: { HIT: [10, hits] },
  upstream: { calls: 1, notModified: 0, saved: hits },
  l1: { entries: 1, bytes: 10, maxBytes: 100 },
  store: { kind: 'redis', isUp: true, problem: null, usedBytes: 5, entries: 6 },
  budgets: [],
  breakers: [],
  runwayMs: null,
  ...more,
});

const parsed = (closed: readonly { text: string }[]): FiguresDocument[] =>
  closed.map(({ text }) => JSON.parse(text) as FiguresDocument);

it('closes a second as soon as all processes have reported it', () => {
  const history = new FiguresHistory();
  history.add('a', sample('a', START, 1), START + 1_020);
  history.add('b', sample('b', START, 2), START + 1_030);
  expect(history.close(START + 999)).toEqual([]);
  const [figures] = parsed(history.close(START + 1_040));
  expect(figures).toMatchObject({
    ...{ at: START, requests: { HIT: 3 }, upstream: { calls: 2, saved: 3 }, l1: { entries: 2, maxBytes: 200 } },
    replicas: [
      { id: 'a', requests: 1 },
      { id: 'b', requests: 2 },
    ],
  });
  expect(history.close(START + 1_090)).toEqual([]);
});

it('waits less than a second for a process that is late, counts it later, and is not late with it from then on', () => {
  const history = new FiguresHistory();
  for (const process of ['a', 'b']) history.add(process, sample(process, START, 1), START + 1_020);
  history.close(START + 1_050);
  history.add('a', sample('a', START + 1_000, 1), START + 2_020);
  expect(history.close(START + 2_100)).toEqual([]);
  expect(parsed(history.close(START + 2_900))).toMatchObject([{ at: START + 1_000, requests: { HIT: 1 } }]);
  history.add('b', sample('b', START + 1_000, 5), START + 2_950);
  history.add('a', sample('a', START + 2_000, 1), START + 3_020);
  expect(history.close(START + 3_025)).toEqual([]);
  history.add('b', sample('b', START + 2_000, 7), START + 3_030);
  expect(parsed(history.close(START + 3_050))).toMatchObject([{ at: START + 2_000, requests: { HIT: 13 } }]);
});

it('counts a process with a wrong clock in the second in which its sample arrives', () => {
  const history = new FiguresHistory();
  history.add('a', sample('a', START, 1), START + 1_020);
  history.add('wrong', sample('wrong', START - 3_600_000, 2), START + 1_030);
  history.add('ahead', sample('ahead', START + 86_400_000, 4), START + 1_040);
  expect(parsed(history.close(START + 1_050))).toMatchObject([{ at: START, requests: { HIT: 7 } }]);
});

it('waits for a dead process for some seconds only, and forgets it', () => {
  const history = new FiguresHistory();
  history.add('dead', sample('dead', START, 1), START + 1_020);
  const seen: FiguresDocument[] = [];
  for (let second = 0; second < 40; second++) {
    const now = START + second * 1_000 + 1_020;
    history.add('a', sample('a', START + second * 1_000, 1), now);
    seen.push(...parsed([...history.close(now + 30), ...history.close(now + 950)]));
  }
  expect(seen.map(({ at }) => (at - START) / 1_000)).toEqual(Array.from({ length: 40 }, (_, second) => second));
  const upAt = (second: number) => seen[second]!.replicas.map(({ id, isUp }) => `${id} ${isUp}`);
  expect(upAt(3)).toEqual(['a true', 'dead true']);
  expect(upAt(10)).toEqual(['a true', 'dead false']);
  expect(upAt(35)).toEqual(['a true']);
});

it('keeps fifteen minutes, and returns the figures after an id', () => {
  const history = new FiguresHistory();
  for (let second = 0; second < 1_000; second++) {
    history.add('a', sample('a', START + second * 1_000, 1), START + second * 1_000 + 1_020);
    history.close(START + second * 1_000 + 1_030);
  }
  const now = START + 1_000_030;
  const last = START / 1_000 + 999;
  expect(history.all(now)).toHaveLength(MAX_SAMPLES);
  expect(history.since(last - 2, now)?.map(({ id }) => id)).toEqual([last - 1, last]);
  expect(history.since(last, now)).toEqual([]);
  expect([history.since(last + 10, now), history.since(last - 2_000, now)]).toEqual([undefined, undefined]);
  expect(history.all(now + 3_600_000)).toEqual([]);
});

it('never goes back: ids grow though the clock is set back', () => {
  const history = new FiguresHistory();
  history.add('a', sample('a', START, 1), START + 1_020);
  history.close(START + 1_030);
  history.add('a', sample('a', START - 2_000, 1), START - 980);
  const ids = [...history.close(START - 900), ...history.close(START + 3_000)].map(({ id }) => id);
  expect(ids).toEqual([START / 1_000 + 1]);
});

it('takes no more than a thousand processes', () => {
  const history = new FiguresHistory();
  for (let at = 0; at < 2_000; at++) history.add(`p${at}`, sample(`r${at}`, START, 1), START + 1_020);
  const [figures] = parsed(history.close(START + 1_050));
  expect([figures!.requests['HIT'], figures!.replicas.length]).toEqual([1_000, 100]);
});

it('merges budgets, breakers, store and runway of all processes', () => {
  const history = new FiguresHistory();
  const budget = {
    upstream: 'api',
    credential: '-',
    resource: 'core',
    limit: 60,
    remaining: 9,
    resetAt: START + 5_000,
  };
  const one = {
    budgets: [budget],
    breakers: [{ upstream: 'api', state: 'closed' as const }],
    runwayMs: { p50: 5, least: 2 },
  };
  const other = {
    budgets: [
      { ...budget, remaining: 7 },
      { ...budget, resource: 'search', resetAt: START },
    ],
    breakers: [{ upstream: 'api', state: 'open' as const }],
    store: { kind: 'redis' as const, isUp: false, problem: 'gone', usedBytes: null, entries: null },
    runwayMs: { p50: 50, least: 1 },
  };
  history.add('a', sample('a', START, 1, one), START + 1_020);
  history.add('b', sample('b', START, 1, other), START + 1_020);
  const [figures] = parsed(history.close(START + 1_050));
  expect(figures).toMatchObject({
    budgets: [{ remaining: 7 }, { resource: 'search' }],
    breakers: [{ upstream: 'api', state: 'open' }],
    store: { kind: 'redis', isUp: false, problem: 'gone', usedBytes: 5, entries: 6 },
    runwayMs: { p50: 50, least: 1 },
  });
});
