import { figuresOf, UP_MS, type KnownProcess } from './figures';
import type { ProcessSample } from './process-sample';

/** 15 minutes, a sample a second. */
export const MAX_SAMPLES = 900;
const SECOND_MS = 1_000;
/** How long after its end a second waits for the samples of all processes, in milliseconds. */
const WAIT_MS = 900;
/** The maximum deviation of a clock for its seconds to be taken unchanged, in milliseconds. */
const MAX_SKEW_MS = 2_500;
/** So long after its last word a process is forgotten, in milliseconds. */
const FORGET_MS = 30_000;
const MAX_PROCESSES = 1_000;

/** One second's figures, as they are sent. */
export interface StoredFigures {
  /** The second since the epoch. */
  readonly id: number;
  /** JSON, rendered once for all clients. */
  readonly text: string;
}

interface OpenSecond {
  readonly samples: ProcessSample[];
  /** The processes whose figures have arrived. */
  readonly reported: Set<string>;
}

/**
 * Gathers the samples of all processes into one picture, a second at a time, and keeps 15 minutes of it.
 *
 * Its one invariant: a second that was closed never changes, and ids only grow, so that who has one has all before it. A sample that
 * comes too late, or from a process with a wrong clock, counts in the second that is open.
 */
export class FiguresHistory {
  private readonly open = new Map<number, OpenSecond>();
  private readonly known = new Map<string, KnownProcess>();
  private closed: StoredFigures[] = [];
  private lastClosed = 0;

  /** @param process names the process that the sample is of */
  add(process: string, sample: ProcessSample, now: number): void {
    const isKnown = this.known.has(process);
    if (!isKnown && this.known.size >= MAX_PROCESSES) return;
    this.known.set(process, { last: sample, seenAt: now });
    const ended = Math.floor(now / SECOND_MS) * SECOND_MS - SECOND_MS;
    const isNear = Math.abs(sample.at - ended) <= MAX_SKEW_MS;
    const own = isNear ? sample.at : ended;
    const at = Math.max(own, this.lastClosed + SECOND_MS);
    const second = this.open.get(at) ?? { samples: [], reported: new Set<string>() };
    this.open.set(at, second);
    second.samples.push(sample);
    // A late one does not stand for the one that is still to come: the process would be late from then on.
    if (at === own) second.reported.add(process);
  }

  /** Closes the seconds that all processes have reported, or that have waited long enough. @returns their figures, oldest first */
  close(now: number): readonly StoredFigures[] {
    for (const [process, { seenAt }] of this.known) if (now - seenAt > FORGET_MS) this.known.delete(process);
    const due: StoredFigures[] = [];
    for (const [at, { samples, reported }] of [...this.open].sort(([one], [other]) => one - other)) {
      const isComplete = [...this.known].every(
        ([process, { seenAt }]) => reported.has(process) || now - seenAt > UP_MS,
      );
      if (at + SECOND_MS > now || (!isComplete && now < at + SECOND_MS + WAIT_MS)) break;
      this.open.delete(at);
      this.lastClosed = at;
      const figures = figuresOf(at, samples, [...this.known.values()]);
      due.push({ id: at / SECOND_MS, text: JSON.stringify(figures) });
    }
    this.closed = [...this.closed, ...due].slice(-MAX_SAMPLES);
    return due;
  }

  /** The figures after an id; undefined if that is unknown here, or too long ago. */
  since(id: number, now: number): readonly StoredFigures[] | undefined {
    const second = Math.floor(now / SECOND_MS);
    if (id > second || id < second - MAX_SAMPLES) return undefined;
    return this.all(now).filter((one) => one.id > id);
  }

  /** The last 15 minutes, oldest first: only what was gathered. */
  all(now: number): readonly StoredFigures[] {
    const oldest = Math.floor(now / SECOND_MS) - MAX_SAMPLES;
    return this.closed.filter(({ id }) => id >= oldest);
  }

  /** The last viewer has left: open seconds are not closed. */
  pause(): void {
    this.open.clear();
    this.known.clear();
  }
}
