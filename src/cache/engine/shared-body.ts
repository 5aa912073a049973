/** The source of a body: chunks in order, and a way to stop it. */
export interface BodySource extends AsyncIterable<Buffer> {
  destroy(error?: Error): unknown;
}

/** The memory of all bodies under way, in bytes. */
export class HeldBytes {
  private held = 0;

  constructor(private readonly maxBytes: number) {}

  get isFull(): boolean {
    return this.held > this.maxBytes;
  }

  add(bytes: number): void {
    this.held += bytes;
  }
}

/** Bodies up to this size are always kept whole. */
const SMALL_BYTES = 262_144;
/** How far the source of a streamed body may be ahead of its slowest reader. */
const AHEAD_BYTES = 65_536;
/** The minimum that a reader must take between two checks, while the source waits for it and others wait for the source. */
const MIN_STEP_BYTES = 524_288;
const PATIENCE_MS = 2_000;
/** The share of its time from which on this process itself may be what delays the readers: then only one that takes nothing is too slow. */
const BUSY_SHARE = 0.9;

/** A reader of a body. */
interface Reader {
  /** The number of chunks it has taken. */
  at: number;
  /** The number of bytes it has taken. */
  taken: number;
  /** Set if it delayed the others: its `next` throws. */
  isCutOff: boolean;
}

export interface BodyLimits {
  /** Larger bodies are not kept whole. */
  readonly maxBytes: number;
  /** The declared length, in bytes; undefined without one. */
  readonly declaredBytes?: number | undefined;
  /** The memory of all bodies together; a body that grows while it is exhausted is not kept whole. */
  readonly held?: HeldBytes;
}

/**
 * One body for several readers, read from its source once.
 *
 * Its one invariant: memory stays within the limits. While the whole body fits, readers may join at any time and at any speed; once it
 * does not, no reader may join, and the source waits for the slowest reader, except for a reader that delays the others: it is cut off. If
 * a body is known in advance to exceed the limit, readers may join at its beginning.
 */
export class SharedBody {
  private readonly chunks: Buffer[] = [];
  private fits: boolean;
  /** Its share of `limits.held`. */
  private counted = 0;
  /** The number of freed chunks at the front. */
  private gone = 0;
  /** How many readers have not taken the first kept chunk: it is freed when the last of them has, not looked for at each step of each. */
  private atFirst = 0;
  private kept = 0;
  private total = 0;
  private state: 'open' | 'ended' | 'failed' = 'open';
  private failure: unknown;
  private readonly cursors = new Set<Reader>();
  private wakes: (() => void)[] = [];
  private watch: NodeJS.Timeout | undefined;

  constructor(
    private readonly source: BodySource,
    private readonly limits: BodyLimits,
  ) {
    this.fits = (limits.declaredBytes ?? 0) <= limits.maxBytes;
    void this.pump();
  }

  private get aheadBytes(): number {
    return Math.min(AHEAD_BYTES, this.limits.maxBytes);
  }

  private get smallBytes(): number {
    return Math.min(SMALL_BYTES, this.limits.maxBytes);
  }

  /** Whether a new reader can still read it from its first byte. */
  get isJoinable(): boolean {
    return this.gone === 0 && (this.fits || this.total <= this.smallBytes);
  }

  get hasEnded(): boolean {
    return this.state === 'ended';
  }

  /** Whether its source broke off. */
  get hasFailed(): boolean {
    return this.state === 'failed';
  }

  /** Whether it is over the limit, by the head or by the bytes received. */
  get isTooLarge(): boolean {
    return Math.max(this.limits.declaredBytes ?? 0, this.total) > this.limits.maxBytes;
  }

  /** The error of its source. */
  get failedWith(): unknown {
    return this.failure;
  }

  /** The number of bytes received. */
  get received(): number {
    return this.total;
  }

  /**
   * Resolves with the whole body at its end, or with undefined as soon as it exceeds the limit.
   *
   * @throws the source's error, also for a truncated body
   */
  async whole(): Promise<Buffer | undefined> {
    while (this.state === 'open' && this.fits) await this.next();
    if (this.state === 'failed') throw this.failure;
    return this.fits ? Buffer.concat(this.chunks, this.total) : undefined;
  }

  /** Settles at the end, at a failure, or when more than `bytes` have arrived. */
  async until(bytes: number): Promise<void> {
    while (this.state === 'open' && this.total <= bytes) await this.next();
  }

  /** From the first byte on, for one reader, which counts until it has returned. Its `next` throws the source's error. */
  read(): AsyncIterableIterator<Buffer> {
    if (this.gone > 0) throw new Error('The beginning of this body is gone.');
    const cursor: Reader = { at: 0, taken: 0, isCutOff: false };
    this.cursors.add(cursor);
    this.atFirst += 1;
    this.count();
    const leave = (): IteratorReturnResult<undefined> => {
      this.remove(cursor);
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        for (;;) {
          if (cursor.isCutOff) throw new Error('Others waited for this reader.');
          const chunk = this.chunks[cursor.at - this.gone];
          if (chunk !== undefined) {
            if (cursor.at === this.gone) this.atFirst -= 1;
            cursor.at += 1;
            cursor.taken += chunk.length;
            this.letGo();
            return { done: false, value: chunk };
          }
          if (this.state === 'ended') return leave();
          if (this.state === 'failed') {
            leave();
            throw this.failure;
          }
          await this.next();
        }
      },
      return: () => Promise.resolve(leave()),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** No reader is left: stops the source. */
  abandon(): void {
    if (this.state === 'open') this.source.destroy();
  }

  private async pump(): Promise<void> {
    const { smallBytes } = this;
    const { maxBytes, held } = this.limits;
    try {
      for await (const chunk of this.source) {
        this.chunks.push(chunk);
        this.kept += chunk.length;
        this.total += chunk.length;
        this.count();
        if (this.total > maxBytes || (this.total > smallBytes && held?.isFull === true)) this.fits = false;
        this.wake();
        this.letGo();
        if (!this.fits) this.watchReaders();
        while (!this.fits && this.kept > this.aheadBytes && this.cursors.size > 0) await this.next();
        if (!this.fits && this.total > smallBytes && !(await this.hasReaders())) this.source.destroy();
      }
      this.state = 'ended';
    } catch (error) {
      this.state = 'failed';
      this.failure = error;
    }
    clearInterval(this.watch);
    this.count();
    this.wake();
  }

  /** The first chunk may be over the limits, and arrive before the requests that got the head with it have begun to read. */
  private async hasReaders(): Promise<boolean> {
    if (this.cursors.size === 0) await new Promise(setImmediate);
    return this.cursors.size > 0;
  }

  /**
   * Checks regularly which reader delays the source: a reader that has taken too little since the last check, while another has taken
   * everything available and waits.
   */
  private watchReaders(): void {
    if (this.watch) return;
    let before = new Map<Reader, number>();
    let clock = performance.eventLoopUtilization();
    this.watch = setInterval(() => {
      const isBusy = performance.eventLoopUtilization(clock).utilization > BUSY_SHARE;
      clock = performance.eventLoopUtilization();
      const minBytes = isBusy ? 1 : MIN_STEP_BYTES;
      const isAtHead = ({ at }: Reader): boolean => at - this.gone >= this.chunks.length;
      const isHeldUp = this.kept > this.aheadBytes && [...this.cursors].some(isAtHead);
      for (const [reader, taken] of before)
        if (isHeldUp && this.cursors.has(reader) && !isAtHead(reader) && reader.taken - taken < minBytes)
          this.cutOff(reader);
      before = new Map(Array.from(this.cursors, (reader) => [reader, reader.taken]));
    }, PATIENCE_MS);
    this.watch.unref();
  }

  private cutOff(reader: Reader): void {
    reader.isCutOff = true;
    this.remove(reader);
  }

  /** Its source waits for the others alone from now on, and for none if there are no others. */
  private remove(reader: Reader): void {
    if (!this.cursors.delete(reader)) return;
    if (reader.at === this.gone) this.atFirst -= 1;
    this.letGo();
    this.count();
    this.wake();
  }

  /** For a body over the limit: frees the bytes that every reader has received. */
  private letGo(): void {
    if (this.fits || this.atFirst > 0 || this.cursors.size === 0) return;
    let slowest = Infinity;
    for (const { at } of this.cursors) slowest = Math.min(slowest, at);
    while (this.gone < slowest && this.chunks.length > 0) {
      this.kept -= this.chunks.shift()?.length ?? 0;
      this.gone += 1;
    }
    for (const { at } of this.cursors) if (at === this.gone) this.atFirst += 1;
    this.count();
    this.wake();
  }

  /** A finished body without readers no longer counts as under way. */
  private count(): void {
    const bytes = this.state === 'open' || this.cursors.size > 0 ? this.kept : 0;
    this.limits.held?.add(bytes - this.counted);
    this.counted = bytes;
  }

  private next(): Promise<void> {
    return new Promise((resolve) => this.wakes.push(resolve));
  }

  private wake(): void {
    const { wakes } = this;
    this.wakes = [];
    for (const wake of wakes) wake();
  }
}
