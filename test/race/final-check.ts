import { setTimeout as pause } from 'node:timers/promises';
import { RACE_KEYS } from './catalog';
import type { History } from './history';
import type { PromiseBook } from './promise-book';
import type { Readers } from './readers';
import type { Referee } from './referee';
import type { Replica } from './replica';
import type { VersionedUpstream } from './versioned-upstream';

interface Quiet {
  readonly replicas: readonly Replica[];
  readonly readers: Readers;
  readonly referee: Referee;
  readonly upstream: VersionedUpstream;
  readonly book: PromiseBook;
  readonly history: History;
}

const QUIET_MS = 300;
/** The longest pause after failed loads, and some. */
const PATIENCE_MS = 8_000;
const READS = 5;
/** One load per key; a second one if the leader was stopped for longer than its lease. */
const MAX_LOADS = 2;
const TRIES = 3;
const LONG_TTL_MS = 60_000;

/** With everything quiet: no replica has anything old, and many readers of a cold key cost one load. */
export async function finalCheck(quiet: Quiet): Promise<void> {
  const { replicas, upstream, book, history } = quiet;
  upstream.calm();
  await pause(QUIET_MS);
  history.add(undefined, 'everything is quiet');
  await readEverything(quiet, 1);

  const versions = RACE_KEYS.map(({ key }) => upstream.bump(key));
  await replicas[0]?.cache.invalidate({ kind: 'prefix', prefix: 'race:' }, 'purge');
  book.record(RACE_KEYS, versions, 'purge', 0);
  history.add(undefined, 'everything has a new version and is purged on 0');
  await pause(QUIET_MS);
  await countLoads(quiet, MAX_LOADS, 'cold');
  await countLoads(quiet, 0, 'warm', TRIES);
}

async function countLoads(quiet: Quiet, most: number, what: string, tries = 1): Promise<void> {
  const { upstream, referee, history, replicas } = quiet;
  // On a busy machine a replica may take a late reply for an outage of Redis: then it loads for itself, and it is counted again.
  for (let triesLeft = tries; ; triesLeft -= 1) {
    await Promise.all(replicas.map((replica) => replica.untilHealed()));
    const before = RACE_KEYS.map(({ key }) => upstream.loadsOf(key));
    const startedMs = history.now();
    await readEverything(quiet, READS);
    const counts = RACE_KEYS.map(({ key }, i) => ({ key, loads: upstream.loadsOf(key) - (before[i] ?? 0) }));
    const tooMany = counts.filter(({ loads }) => loads > most);
    if (tooMany.length > 0 && triesLeft > 1) continue;
    for (const { key, loads } of tooMany)
      referee.report({ key, replica: 0, startedMs }, `${loads} loads of a ${what} key, not ${most}`);
    return;
  }
}

/** Every key on every replica, until each has been answered. */
async function readEverything({ replicas, readers, referee, history }: Quiet, times: number): Promise<void> {
  const until = history.now() + PATIENCE_MS;
  const readOne = async (reading: Parameters<Readers['readOne']>[0]): Promise<void> => {
    while (!(await readers.readOne(reading))) {
      if (history.now() > until) {
        const asked = { key: reading.key.key, replica: reading.replica, startedMs: until - PATIENCE_MS };
        referee.report(asked, `no answer for ${PATIENCE_MS} ms with everything quiet`);
        return;
      }
      await pause(100);
    }
  };
  const readings = RACE_KEYS.flatMap((key) =>
    replicas.map(({ number }) => {
      const reading = key.kind === 'entry' ? 'route' : 'gateway-a';
      return { key, reading, replica: number, ttlMs: LONG_TTL_MS, staleWhileRevalidateMs: 0 } as const;
    }),
  );
  await Promise.all(readings.flatMap((reading) => Array.from({ length: times }, () => readOne(reading))));
}
