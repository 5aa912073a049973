/** Where a body comes from: chunks in order, and a way to stop them. */
export interface BodySource extends AsyncIterable<Buffer> {
  destroy(error?: Error): unknown;
}

/**
 * One body for several readers, read from its source once and kept up to a window.
 *
 * Its one invariant: memory stays within the window. As long as the whole body fits, readers may join at any time and be as
 * slow as they like; once it does not, nobody joins any more, and the source waits for the slowest reader.
 */
export class SharedBody {
  private readonly chunks: Buffer[] = [];
  /** The number of chunks at the front that are let go. */
  private gone = 0;
  private kept = 0;
  private total = 0;
  private state: 'open' | 'ended' | 'failed' = 'open';
  private failure: unknown;
  private readonly cursors = new Set<{ at: number }>();
  private wakes: (() => void)[] = [];

  constructor(
    private readonly source: BodySource,
    private readonly windowBytes: number,
  ) {
    void this.pump();
  }

  /** Whether a new reader can still have it from its first byte. */
  get isWhole(): boolean {
    return this.gone === 0 && this.total <= this.windowBytes;
  }

  get hasEnded(): boolean {
    return this.state === 'ended';
  }

  /** Whether its source broke off. */
  get hasFailed(): boolean {
    return this.state === 'failed';
  }

  /** So many bytes have come. */
  get received(): number {
    return this.total;
  }

  /**
   * Resolves with all of it at its end, or with undefined as soon as it is larger than the window.
   *
   * @throws the source's error, a truncated body's too
   */
  async whole(): Promise<Buffer | undefined> {
    while (this.state === 'open' && this.isWhole) await this.next();
    if (this.state === 'failed') throw this.failure;
    return this.isWhole ? Buffer.concat(this.chunks, this.total) : undefined;
  }

  /** Settles at the end, at a failure, or when more than so many bytes have come. */
  async until(bytes: number): Promise<void> {
    while (this.state === 'open' && this.total <= bytes) await this.next();
  }

  /** From the first byte on, for one reader, who counts until it has returned. Its `next` throws the source's error. */
  read(): AsyncIterableIterator<Buffer> {
    if (this.gone > 0) throw new Error('The beginning of this body is gone.');
    const cursor = { at: 0 };
    this.cursors.add(cursor);
    const leave = (): IteratorReturnResult<undefined> => {
      this.cursors.delete(cursor);
      this.letGo();
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        for (;;) {
          const chunk = this.chunks[cursor.at - this.gone];
          if (chunk !== undefined) {
            cursor.at += 1;
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

  /** Nobody wants it any more: the source is stopped. */
  abandon(): void {
    if (this.state === 'open') this.source.destroy();
  }

  private async pump(): Promise<void> {
    try {
      for await (const chunk of this.source) {
        this.chunks.push(chunk);
        this.kept += chunk.length;
        this.total += chunk.length;
        this.wake();
        this.letGo();
        while (this.kept > this.windowBytes && this.cursors.size > 0) await this.next();
        if (this.total > this.windowBytes && this.cursors.size === 0) this.source.destroy();
      }
      this.state = 'ended';
    } catch (error) {
      this.state = 'failed';
      this.failure = error;
    }
    this.wake();
  }

  /** Of a body that does not fit, what all readers have had. */
  private letGo(): void {
    if (this.total <= this.windowBytes) return;
    const slowest = Math.min(...[...this.cursors].map(({ at }) => at));
    while (this.gone < slowest && this.chunks.length > 0) {
      this.kept -= this.chunks.shift()?.length ?? 0;
      this.gone += 1;
    }
    this.wake();
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
