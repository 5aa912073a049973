import { ref, shallowRef, type Ref, type ShallowRef } from 'vue';
import { Failure, failureOf, isAbort, toFailure } from './failure';
import { EventParser, type ServerSentEvent } from './server-sent-events';

/*
 * One stream of server-sent events over fetch, which, unlike EventSource, can carry an Authorization field. It reconnects by itself
 * until it is closed or refused: with back-off, at once when the network is back, and from where it stopped (`Last-Event-ID`).
 */

export type StreamState = 'connecting' | 'open' | 'waiting' | 'paused' | 'refused' | 'closed';

const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** The service sends a comment every 15 s: after two of them missed, the connection is dead. */
const SILENCE_MS = 35_000;
/** A page hidden for this long closes its stream, so that the service computes nothing for it. */
const HIDDEN_MS = 60_000;

export interface EventStreamOptions {
  readonly path: string;
  readonly token: () => string | undefined;
  readonly onEvent: (event: ServerSentEvent) => void;
}

export class EventStream {
  readonly state: Ref<StreamState> = ref('closed');
  readonly failure: ShallowRef<Failure | undefined> = shallowRef();
  /** When the next attempt is made; meaningful while the state is `waiting`. */
  readonly retryAt: Ref<number> = ref(0);
  private lastEventId = '';
  private minRetryMs = MIN_RETRY_MS;
  private attempts = 0;
  private connection: AbortController | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private hidden: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: EventStreamOptions) {}

  open(): void {
    document.addEventListener('visibilitychange', this.onVisibility);
    window.addEventListener('online', this.retryNow);
    this.connect();
  }

  close(): void {
    document.removeEventListener('visibilitychange', this.onVisibility);
    window.removeEventListener('online', this.retryNow);
    this.disconnect();
    this.state.value = 'closed';
  }

  /** Closes the present connection and opens another one, with the present token. */
  reopen(): void {
    this.disconnect();
    this.attempts = 0;
    this.connect();
  }

  readonly retryNow = (): void => {
    if (this.state.value === 'waiting') this.reopen();
  };

  private readonly onVisibility = (): void => {
    clearTimeout(this.hidden);
    if (document.visibilityState === 'visible') {
      if (this.state.value === 'paused' || this.state.value === 'waiting') this.reopen();
      return;
    }
    this.hidden = setTimeout(() => {
      if (this.state.value === 'refused') return;
      this.disconnect();
      this.state.value = 'paused';
    }, HIDDEN_MS);
  };

  private disconnect(): void {
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    clearTimeout(this.hidden);
    this.connection?.abort();
    this.connection = undefined;
  }

  private connect(): void {
    const connection = new AbortController();
    this.connection = connection;
    this.state.value = 'connecting';
    this.watchSilence(connection);
    this.read(connection.signal).then(
      () => this.ended(connection, new Failure('The live stream ended', 'The service closed it.')),
      (error: unknown) => this.ended(connection, isAbort(error) ? silent() : toFailure(error)),
    );
  }

  /** Each byte starts the clock again. */
  private watchSilence(connection: AbortController): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => connection.abort(), SILENCE_MS);
  }

  private async read(signal: AbortSignal): Promise<void> {
    const token = this.options.token();
    const connection = this.connection;
    const response = await fetch(this.options.path, {
      signal,
      cache: 'no-store',
      headers: {
        Accept: 'text/event-stream',
        ...(this.lastEventId === '' ? {} : { 'Last-Event-ID': this.lastEventId }),
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
    }).catch((error: unknown) => {
      if (isAbort(error)) throw error;
      throw new Failure('The service does not answer', 'It may be restarting.');
    });
    if (!response.ok || response.body === null)
      throw failureOf({ status: response.status, headers: [...response.headers], text: await response.text() });
    this.state.value = 'open';
    this.failure.value = undefined;
    const parser = new EventParser(
      this.lastEventId,
      (event) => {
        this.attempts = 0;
        this.lastEventId = event.lastEventId;
        this.options.onEvent(event);
      },
      (ms) => (this.minRetryMs = Math.min(Math.max(ms, MIN_RETRY_MS), MAX_RETRY_MS)),
    );
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (connection) this.watchSilence(connection);
      parser.push(value);
    }
  }

  private ended(connection: AbortController, failure: Failure): void {
    if (this.connection !== connection) return; // closed on purpose: another connection is open, or none is wanted
    clearTimeout(this.silence);
    this.failure.value = failure;
    if (failure.status === 401 || failure.status === 403 || failure.status === 404) {
      this.state.value = 'refused';
      return;
    }
    const waitMs = Math.max(backOff(this.attempts, this.minRetryMs), (failure.retryAfterSeconds ?? 0) * 1000);
    this.attempts += 1;
    this.retryAt.value = Date.now() + waitMs;
    this.state.value = 'waiting';
    this.timer = setTimeout(() => this.connect(), waitMs);
  }
}

function silent(): Failure {
  return new Failure('The live stream went silent', 'No sign of life came from the service for half a minute.');
}

/** Doubling, up to a limit, with a random part so that many pages do not return in the same moment. */
export function backOff(attempts: number, minMs: number, random = Math.random()): number {
  const fullMs = Math.min(MAX_RETRY_MS, minMs * 2 ** Math.min(attempts, 10));
  return fullMs * (0.75 + random * 0.25);
}
