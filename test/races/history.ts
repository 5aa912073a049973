/** An invalidation that was promised: from then on no answer may be of an older version. */
interface Promised {
  readonly version: number;
  readonly at: number;
  readonly replica: number;
}

/** How long another replica may take to hear of it; the promise is 50 ms, the rest is for a busy test machine's timers. */
const HEARD_AFTER_MS = 150;

export interface Violation {
  readonly key: string;
  readonly message: string;
  readonly timeline: readonly string[];
}

/** What was promised and what was answered, key by key. */
export class History {
  readonly violations: Violation[] = [];
  checked = 0;
  private readonly promised = new Map<string, Promised[]>();
  private readonly lines = new Map<string, string[]>();
  private readonly startedAt = performance.now();

  note(key: string, what: string): void {
    const lines = this.lines.get(key) ?? [];
    lines.push(`${(performance.now() - this.startedAt).toFixed(1)} ms ${what}`);
    if (lines.length > 60) lines.shift();
    this.lines.set(key, lines);
  }

  promise(key: string, version: number, replica: number): void {
    const all = this.promised.get(key) ?? [];
    all.push({ version, at: performance.now(), replica });
    this.promised.set(key, all);
  }

  /** The oldest version that a request to a replica, begun at an instant, may be answered with. */
  floor(key: string, replica: number, begunAt: number): number {
    let floor = 0;
    for (const promised of this.promised.get(key) ?? []) {
      const counts = promised.at + (promised.replica === replica ? 0 : HEARD_AFTER_MS) <= begunAt;
      if (counts) floor = Math.max(floor, promised.version);
    }
    return floor;
  }

  check(key: string, replica: number, floor: number, version: number, outcome: string): void {
    this.checked += 1;
    if (version >= floor) return;
    const message = `replica ${replica} answered ${key} with version ${version} (${outcome}); ${floor} was promised`;
    this.note(key, `VIOLATION: ${message}`);
    this.violations.push({
      key,
      message,
      timeline: (this.lines.get(key) ?? []).map((line, at) => `${at + 1}. ${line}`),
    });
  }
}
