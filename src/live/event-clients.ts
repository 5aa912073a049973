import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { AppError } from '../kernel/app-error';
import { EventStream, eventText } from './event-stream';
import type { StoredFigures } from './figures-history';
import { LiveFigures } from './live-figures';

/** Streams of this process at once; a fifth of them is kept for admins. */
const MAX_CLIENTS = 100;
const MAX_WITHOUT_TOKEN = 80;
const HEARTBEAT_MS = 15_000;
/** Outcomes and invalidations to one client within a second, of all processes together. */
const MAX_EVENTS_PER_SECOND = 200;
const RETRY_MS = 1_000;

export interface ClientOptions {
  readonly isAdmin: boolean;
  /** The second since the epoch that the client has had last. */
  readonly lastEventId: number | undefined;
}

/** The clients of `GET /events`: so many at most, each sent what it has not had yet. */
@Injectable()
export class EventClients implements BeforeApplicationShutdown {
  private readonly streams = new Set<EventStream>();
  private isStopped = false;

  constructor(private readonly figures: LiveFigures) {}

  /** Ends all streams before the port is closed: nothing waits for them. */
  beforeApplicationShutdown(): void {
    this.isStopped = true;
    for (const stream of [...this.streams]) stream.end('shutdown');
  }

  /** @throws AppError where no more clients are taken */
  require(isAdmin: boolean): void {
    if (this.isStopped) throw new AppError('shutting-down', 'The service is shutting down. Connect again.');
    if (this.streams.size >= (isAdmin ? MAX_CLIENTS : MAX_WITHOUT_TOKEN))
      throw new AppError('overloaded', 'Too many clients read live events of this process. Connect again later.', {
        retryAfterMs: 10_000,
      });
  }

  async serve(stream: EventStream, { isAdmin, lastEventId }: ClientOptions): Promise<void> {
    const cursor = new Cursor(stream, isAdmin);
    this.streams.add(stream);
    const unsubscribe = this.figures.subscribe(cursor, isAdmin);
    const heartbeat = setInterval(() => stream.send(': heartbeat\n\n'), HEARTBEAT_MS).unref();
    stream.onClose(() => {
      clearInterval(heartbeat);
      unsubscribe();
      this.streams.delete(stream);
    });
    stream.send(`retry: ${RETRY_MS}\n\n`);
    const missed = lastEventId === undefined ? undefined : this.figures.since(lastEventId);
    if (missed) await cursor.sendMissed(missed);
    else await cursor.sendHistory(this.figures.all());
  }
}

/**
 * The progress of one client. While the history is being sent to it, newly closed seconds wait in the shared history, not here, and events
 * are left out.
 */
class Cursor {
  private isLive = false;
  private behind: StoredFigures[] = [];
  private windowEndsAt = 0;
  private eventsLeft = 0;

  constructor(
    private readonly stream: EventStream,
    private readonly isAdmin: boolean,
  ) {}

  readonly onFigures = (figures: readonly StoredFigures[]): void => {
    if (!this.isLive) this.behind.push(...figures);
    else for (const one of figures) this.stream.send(figuresText(one));
  };

  readonly onEvent = (event: string, data: string): void => {
    if (!this.isAdmin || !this.isLive || !this.hasRoom()) return;
    this.stream.send(eventText(event, data));
  };

  /** One event with the id of its last second: a client that disconnects after it resumes there. */
  async sendHistory(figures: readonly StoredFigures[]): Promise<void> {
    await this.stream.sendPieces(historyPieces(figures));
    this.goLive();
  }

  async sendMissed(figures: readonly StoredFigures[]): Promise<void> {
    await this.stream.sendPieces(figures.map(figuresText));
    this.goLive();
  }

  private goLive(): void {
    this.isLive = true;
    const { behind } = this;
    this.behind = [];
    this.onFigures(behind);
  }

  private hasRoom(): boolean {
    const now = performance.now();
    if (now >= this.windowEndsAt) {
      this.windowEndsAt = now + 1_000;
      this.eventsLeft = MAX_EVENTS_PER_SECOND;
    }
    this.eventsLeft -= 1;
    return this.eventsLeft >= 0;
  }
}

function figuresText({ id, text }: StoredFigures): string {
  return eventText('figures', text, id);
}

function* historyPieces(figures: readonly StoredFigures[]): Generator<string> {
  const last = figures.at(-1);
  yield `event: history\n${last ? `id: ${last.id}\n` : ''}data: {"samples":[`;
  for (const [at, { text }] of figures.entries()) yield at === 0 ? text : `,${text}`;
  yield ']}\n\n';
}
