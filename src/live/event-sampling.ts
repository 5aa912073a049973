/** So many of one kind a process sends in a second at most. */
const MAX_PER_SECOND = 20;
const WINDOW_MS = 1_000;

/**
 * Picks some of many: all while there are few, one in n when there are more, and never more than 20 in a second. n follows what came in
 * the second before, and doubles within one that brings more.
 */
export class EventSampling {
  private oneIn = 1;
  private seen = 0;
  private sent = 0;
  private windowEndsAt = 0;

  /** @returns of how many the event is one; undefined if it is not picked */
  pick(now: number): number | undefined {
    if (now >= this.windowEndsAt) {
      const wasLastSecond = now < this.windowEndsAt + WINDOW_MS;
      this.oneIn = wasLastSecond ? Math.max(1, Math.ceil(this.seen / MAX_PER_SECOND)) : 1;
      this.seen = 0;
      this.sent = 0;
      this.windowEndsAt = now + WINDOW_MS;
    }
    this.seen += 1;
    if (this.seen % this.oneIn !== 0 || this.sent >= MAX_PER_SECOND) return undefined;
    const { oneIn } = this;
    this.sent += 1;
    if (this.sent % (MAX_PER_SECOND / 4) === 0) this.oneIn *= 2;
    return oneIn;
  }
}
