import type { RedisClientOptions } from 'redis';
import { withDeadline } from './deadline';
import { BINARY_REPLIES, retryDelayMs } from './redis-client-options';
import type { CommandArguments, RedisReply } from './redis-link';
import { createNodeClient, type NodeClient } from './redis-package';
import { RedisUnavailableError } from './redis-unavailable.error';

const HANDSHAKE_MS = 2_000;
const HEARTBEAT_MS = 200;
/** A connection that is silent for this long, and for as long as a command may take, is closed: it may be half open. */
const SILENCE_MS = 1_000;

/** A pub/sub channel. */
export interface Channel {
  readonly name: string;
  readonly onMessage: (message: Buffer) => void;
  /** Called when Redis refuses the channel. Without it the connection then does not count as up. */
  readonly onRefused?: (problem: string) => void;
}

export interface WatchedClientHooks {
  /** Runs on each new connection before it counts as up. */
  readonly prepare?: (client: WatchedClient) => Promise<void>;
  readonly onUp?: () => void;
  readonly onDown?: (problem: string) => void;
  /** A key that the server's tracking names, or null for all of them. */
  readonly onInvalidate?: (key: string | null) => void;
  /** Pub/sub channels that each new connection listens to. */
  readonly channels?: readonly Channel[];
}

/**
 * One connection to one node, kept alive: replaced when it ends, when it falls silent and when its owner asks for it. Up means that the
 * last heartbeat was answered and no command since has missed its deadline.
 */
export class WatchedClient {
  private readonly silenceMs: number;
  private client: NodeClient | undefined;
  private heartbeat: NodeJS.Timeout | undefined;
  private retry: NodeJS.Timeout | undefined;
  private attempts = 0;
  private closed = false;
  private isConnected = false;
  private up = false;
  private down = 'not connected yet';
  private lastReplyAt = 0;
  private beatAt = 0;

  constructor(
    private readonly optionsOf: () => RedisClientOptions,
    private readonly commandTimeoutMs: number,
    private readonly hooks: WatchedClientHooks,
  ) {
    this.silenceMs = Math.max(SILENCE_MS, commandTimeoutMs);
    void this.connect();
  }

  get isUp(): boolean {
    return this.up;
  }

  get problem(): string | undefined {
    return this.up ? undefined : this.down;
  }

  /** When the last answered heartbeat was sent (`performance.now()`): every earlier message of the server has been received. */
  get repliedUntil(): number {
    return this.lastReplyAt;
  }

  async send(args: CommandArguments): Promise<RedisReply> {
    const { client } = this;
    if (!client || !this.up) throw new RedisUnavailableError(this.down);
    return this.sendOn(client, args);
  }

  /** For `prepare` only: sends though the client is not up yet. */
  async sendEarly(args: CommandArguments): Promise<RedisReply> {
    if (!this.client) throw new RedisUnavailableError(this.down);
    return this.sendOn(this.client, args);
  }

  private get isClosed(): boolean {
    return this.closed; // read again after an await, where the compiler believes what it saw before
  }

  /** Drops the connection and makes a new one at once. */
  reconnect(reason: string): void {
    this.drop(reason);
    this.attempts = 0;
    this.connectLater(0);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    const { client } = this;
    const wasUp = this.up;
    if (wasUp && client)
      await withDeadline(client.close(), this.commandTimeoutMs, () => undefined).catch(() => client.destroy());
    this.drop('closed');
  }

  private async connect(): Promise<void> {
    if (this.closed) return;
    let client: NodeClient | undefined;
    try {
      const options = { ...this.optionsOf(), ...(this.hooks.onInvalidate ? { emitInvalidate: true } : {}) };
      const made = await createNodeClient(options);
      if (this.isClosed) return;
      client = made;
      this.client = made;
      // The client was dropped before it had a socket: `destroy` closes the new one.
      made.on('connect', () => {
        if (this.client !== made) made.destroy();
      });
      made.on('error', (error: Error) => this.lost(made, describe(error)));
      made.on('end', () => this.lost(made, 'the connection ended'));
      const { onInvalidate } = this.hooks;
      if (onInvalidate)
        made.on('invalidate', (key: Buffer | string | null) => onInvalidate(key === null ? null : key.toString()));
      await withDeadline(made.connect(), HANDSHAKE_MS, () => undefined);
      await this.hooks.prepare?.(this);
      for (const { name, onMessage, onRefused } of this.hooks.channels ?? []) {
        const subscribed = withDeadline(made.subscribe(name, onMessage, true), HANDSHAKE_MS, () => undefined);
        await (onRefused ? subscribed.catch((error: unknown) => onRefused(describe(error))) : subscribed);
      }
      if (this.client !== made) return; // lost, or closed, while it got ready
      this.isConnected = true;
      this.attempts = 0;
      this.lastReplyAt = performance.now();
      this.beatAt = this.lastReplyAt;
      this.heartbeat = setInterval(() => this.beat(made), HEARTBEAT_MS);
      this.rise();
    } catch (error) {
      if (client) this.lost(client, describe(error));
      else {
        this.fall(describe(error));
        this.connectLater(retryDelayMs(this.attempts++));
      }
    }
  }

  /**
   * A late beat decides nothing: the process was suspended, and the server's messages wait to be read. If it counted as down, the changes
   * of that time would be lost. Until the next answer `repliedUntil` says how much has been received.
   */
  private beat(client: NodeClient): void {
    const now = performance.now();
    const isLate = now - this.beatAt > 2 * HEARTBEAT_MS;
    this.beatAt = now;
    if (!isLate && now - this.lastReplyAt > this.silenceMs + HEARTBEAT_MS) {
      this.lost(client, `no message for ${this.silenceMs} ms`);
      return;
    }
    client.sendCommand(['PING']).then(
      () => {
        if (client !== this.client) return;
        this.lastReplyAt = now;
        if (!this.up && performance.now() - now < this.commandTimeoutMs) this.rise();
      },
      (error: unknown) => {
        if (client === this.client) this.fall(describe(error));
      },
    );
  }

  private sendOn(client: NodeClient, args: CommandArguments): Promise<RedisReply> {
    return withDeadline(
      client.sendCommand<RedisReply>(args as (string | Buffer)[], BINARY_REPLIES),
      this.commandTimeoutMs,
      () => {
        if (client === this.client) this.fall(`no answer within ${this.commandTimeoutMs} ms`);
      },
    );
  }

  private lost(client: NodeClient, reason: string): void {
    if (client !== this.client) return;
    this.drop(reason);
    this.connectLater(retryDelayMs(this.attempts++));
  }

  private connectLater(delayMs: number): void {
    if (this.closed) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => void this.connect(), delayMs);
  }

  private drop(reason: string): void {
    const { client } = this;
    clearInterval(this.heartbeat);
    this.client = undefined;
    this.isConnected = false;
    this.fall(reason);
    if (client?.isOpen) client.destroy();
  }

  private rise(): void {
    if (!this.isConnected || this.up) return;
    this.up = true;
    this.hooks.onUp?.();
  }

  private fall(problem: string): void {
    const wasUp = this.up;
    this.up = false;
    const isNews = wasUp || problem !== this.down;
    this.down = problem;
    if (isNews && !this.closed) this.hooks.onDown?.(problem);
  }
}

/** The reason in one line; node errors keep it in `code` or in an AggregateError's parts. */
export function describe(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describe).join('; ');
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? ((error as NodeJS.ErrnoException).code ?? error.name) : error.message;
}
