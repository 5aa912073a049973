import type { FastifyReply } from 'fastify';
import { ServerResponse, type IncomingMessage } from 'node:http';
import type { ClientReply, Fields } from './client-reply';

/** The fields that a handler, and the interceptors behind the cache, set on their reply during a load. */
export interface LoadFields {
  readonly status: number;
  /** The fields that the load has set, names in lower case. */
  readonly set: Fields;
  /** Fields that hooks, guards or middleware set before the load, if they are still set. */
  readonly before: Fields;
  /** Fields of those that the load has removed. */
  readonly removed: readonly string[];
}

/** The bytes of a value and their type, as stock Nest sends them on the framework. */
export interface Represented {
  readonly body: Buffer;
  /** Undefined for an answer without a body. */
  readonly type: string | undefined;
}

/**
 * One reply as two: the load's and the client's.
 *
 * Nest hands one reply object to hooks, handler and exception filters. A load may run on when its client has been answered (a
 * stale answer, a 504) or may be answered otherwise (a 304), and what belongs to this client (a request id that a hook set) is
 * not the load's. So while the load runs, the object is the load's: its fields and status go to a response without a connection.
 *
 *   1. `begin`: the object's fields and status are the load's, which begins with those that were there before
 *   2. the client must be answered before the load ends: by `clientReply`; hooks after the answer see that answer, and what the
 *      handler still sets is recorded apart
 *   3. `end`: the object is the client's again
 *
 * Its one invariant: what the load sets reaches the client only through `LoadFields`; the client's own state does not reach the load.
 */
export abstract class LoadReply {
  /** The reply to answer the client by when no load runs. */
  abstract readonly reply: ClientReply;
  abstract readonly isLoading: boolean;
  /** Whether the exception filters can answer by `clientReply` while the load has the object. */
  abstract readonly reachesFilters: boolean;
  protected sent: { readonly payload: unknown } | undefined;
  protected isShared = false;

  constructor(
    /** The response on the connection. */
    protected readonly raw: FastifyReply['raw'],
    private readonly incoming: IncomingMessage,
  ) {}

  /** The payload that the handler sent itself on its reply, if it did. */
  get sentByHandler(): { readonly payload: unknown } | undefined {
    return this.sent;
  }

  /** Whether a filter or Nest responded through the same object while the load ran: the fields set meanwhile may belong to either. */
  get isAmbiguous(): boolean {
    return this.isShared;
  }

  /** Whether the client disconnected before it had its whole response. */
  get hasLostClient(): boolean {
    const { raw, incoming } = this;
    return !raw.writableFinished && (raw.destroyed || incoming.socket.destroyed);
  }

  abstract begin(): void;
  /** What the load has set so far. */
  abstract read(): LoadFields;
  /** @param type the content type that the handler or its route has named */
  abstract represent(value: unknown, type: string | undefined): Represented;
  abstract end(): void;
  /** The reply to answer the client by while the load runs, or may begin at any time. */
  abstract clientReply(): ClientReply;
  /** Gives the object back for a filter to answer by, while the load runs on. */
  abstract share(): void;

  protected responseApart(status: number, fields: Fields): ServerResponse {
    const response = new ServerResponse(this.incoming);
    response.statusCode = status;
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) response.setHeader(name, value);
    return response;
  }
}

/** @param own fields that are always the load's */
export function changesOf(status: number, before: Fields, now: Fields, own: Fields = {}): LoadFields {
  const changed = Object.entries(now).filter(([name, value]) => value !== before[name]);
  const set = { ...Object.fromEntries(changed), ...own };
  const removed = Object.keys(before).filter((name) => now[name] === undefined && set[name] === undefined);
  return { status, set, before, removed };
}

/** Sets what a load has set on the reply of its own client. */
export function applyFields(reply: ClientReply, { set, removed }: Pick<LoadFields, 'set' | 'removed'>): void {
  for (const name of removed) reply.removeHeader(name);
  for (const [name, value] of Object.entries(set)) if (value !== undefined) reply.header(name, value);
}
