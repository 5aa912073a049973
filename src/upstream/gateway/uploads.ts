import type { FastifyRequest } from 'fastify';
import { closeSlowBody } from '../../server/client-errors';
import { FairQueue } from '../budget/fair-queue';

export interface UploadsOptions {
  /** How many may be under way at once. */
  readonly maxConcurrency: number;
  /** How many may wait. */
  readonly maxWaiting: number;
  /** How long one may wait, in milliseconds. */
  readonly deadlineMs: number;
}

/** Slower ones make room for others, as long as others wait. */
const MIN_BYTES_PER_SECOND = 500;
/** For how long one has to be that slow, in milliseconds. */
const PATIENCE_MS = 2_000;
const LOOK_MS = 500;

interface Upload {
  readonly request: FastifyRequest['raw'];
  /** What its connection had received at the last look, and for how long too little has come. */
  received: number;
  slowMs: number;
}

/**
 * Turns for slow request bodies, separate from all other requests.
 *
 * Its one invariant: no caller keeps others waiting. A caller has half of the permits at most, and while another waits, a body that makes
 * almost no progress is refused (408).
 */
export class Uploads {
  private readonly queue: FairQueue;
  private readonly active = new Set<Upload>();
  private look: NodeJS.Timeout | undefined;

  constructor(private readonly options: UploadsOptions) {
    this.queue = new FairQueue(options);
  }

  /**
   * @param caller whose upload it is; its turn comes whatever others have waiting
   * @throws AppError `deadline-exceeded` if its turn does not come in time
   */
  async run<T>(
    caller: string,
    request: FastifyRequest['raw'],
    signal: AbortSignal,
    call: () => Promise<T>,
  ): Promise<T> {
    const limit = Math.ceil(this.options.maxConcurrency / 2);
    this.watch();
    return this.queue.run({ tenant: caller, limitOf: () => limit, signal }, async () => {
      const upload = { request, received: request.socket.bytesRead, slowMs: 0 };
      this.active.add(upload);
      try {
        return await call();
      } finally {
        this.active.delete(upload);
      }
    });
  }

  private watch(): void {
    this.look ??= setInterval(() => {
      const { waiting } = this.queue.size;
      for (const upload of this.active) {
        lookAt(upload);
        if (waiting > 0 && upload.slowMs >= PATIENCE_MS) closeSlowBody(upload.request.socket);
      }
      if (waiting > 0 || this.active.size > 0) return;
      clearInterval(this.look);
      this.look = undefined;
    }, LOOK_MS).unref();
  }
}

/** A body that has come, or waits for the upstream to take it, is not slow. */
function lookAt(upload: Upload): void {
  const { request, received } = upload;
  const { bytesRead } = request.socket;
  const isClientsTurn = !request.complete && request.readableLength === 0;
  const isSlow = isClientsTurn && bytesRead - received < (MIN_BYTES_PER_SECOND * LOOK_MS) / 1_000;
  upload.slowMs = isSlow ? upload.slowMs + LOOK_MS : 0;
  upload.received = bytesRead;
}
