import { setTimeout as pause } from 'node:timers/promises';
import { RACE_KEYS } from './catalog';
import type { History } from './history';
import type { PromiseBook } from './promise-book';
import type { Readers } from './readers';
import type { Referee } from './referee';
import { LEASE_MS, type Replica } from './replica';
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
const MAX_LOADS = 1;
const TRIES = 10;
const LONG_TTL_MS = 60_000;

/** With everything quiet: no replica has anything old, and many readers of a cold key cost one load. */
export async function finalCheck(quiet: Quiet): Promise<void> {
  const { replicas, upstream, book, history } = quiet;
  upstream.calm();
  await pause(QUIET_MS);
  history.add(undefined, 'everything is quiet');
  await readEverything(quiet, 1);

  await countLoads(quiet, MAX_LOADS, 'cold', async () => {
    const versions = RACE_KEYS.map(({ key }) => upstream.bump(key));
    await replicas[0]?.cache.invalidate({ kind: 'prefix', prefix: 'race:' }, 'purge');
    book.record(RACE_KEYS, versions, 'purge', 0);
    history.add(undefined, 'everything has a new version and is purged on 0');
    await pause(QUIET_MS);
  });
  await countLoads(quiet, 0, 'warm', async () => undefined);
}

/**
 * A second load of a key takes a leader that is stopped for longer than its lease, or a Redis that answers too late: either takes longer
 * than a lease. A machine that was too busy to read everything within that time has shown nothing, and it is counted again.
 */
async function countLoads(quiet: Quiet, most: number, what: string, prepare: () => Promise<void>): Promise<void> {
  const { upstream, referee, history, replicas } = quiet;
  for (let tries = 0; tries < TRIES; tries++) {
    await prepare();
    await Promise.all(replicas.map((replica) => replica.untilHealed()));
    const before = RACE_KEYS.map(({ key }) => upstream.loadsOf(key));
    const startedMs = history.now();
    await readEverything(quiet, READS);
    const durationMs = history.now() - startedMs;
    const counts = RACE_KEYS.map(({ key }, i) => ({ key, loads: upstream.loadsOf(key) - (before[i] ?? 0) }));
    const tooMany = counts.filter(({ loads }) => loads > most);
    if (tooMany.length > 0 && durationMs > LEASE_MS) continue;
    for (const { key, loads } of tooMany)
      referee.report(
        { key, replica: 0, startedMs },
        `${loads} loads of a ${what} key in ${Math.round(durationMs)} ms, not ${most}`,
      );
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
