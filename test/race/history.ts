interface HistoryEvent {
  readonly atMs: number;
  /** Undefined: it concerns every key. */
  readonly key: string | undefined;
  readonly text: string;
}

const MAX_TIMELINE_LINES = 60;

/** What happened in the race, to tell the story of one key. */
export class History {
  private readonly events: HistoryEvent[] = [];
  private readonly startedAt = performance.now();

  now(): number {
    return performance.now() - this.startedAt;
  }

  add(key: string | undefined, text: string): void {
    this.events.push({ atMs: this.now(), key, text });
  }

  /** The numbered events of the key since `fromMs`, the last ones if they are many. */
  timeline(key: string, fromMs: number): string[] {
    const told = this.events.filter((event) => event.atMs >= fromMs && (event.key ?? key) === key);
    return told
      .slice(-MAX_TIMELINE_LINES)
      .map(({ atMs, text }, i) => `${String(i + 1).padStart(3)}. ${atMs.toFixed(1).padStart(9)} ms  ${text}`);
  }
}
