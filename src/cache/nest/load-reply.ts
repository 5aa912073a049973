import type { FastifyReply } from 'fastify';

type ServerResponse = FastifyReply['raw'];
export type Fields = Readonly<ReturnType<ServerResponse['getHeaders']>>;
export type FieldValue = number | string | string[];

/** What the cache needs of a reply. Fastify's is one as it is; Express's gets a wrapper. */
export interface ClientReply {
  readonly raw: ServerResponse;
  readonly statusCode: number;
  getHeader(name: string): FieldValue | undefined;
  header(name: string, value: FieldValue): this;
  headers(fields: Readonly<Record<string, FieldValue | undefined>>): this;
  removeHeader(name: string): this;
  code(status: number): this;
  send(payload?: unknown): unknown;
}

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

/** Sends a value by a response of Express's, as Nest does. */
export type SendValue = (response: object, value: unknown) => unknown;

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
  /** Whether others (a filter, Nest) answered by the same object while the load ran: what was set meanwhile may be either's. */
  abstract readonly isAmbiguous: boolean;
  /** Whether the client disconnected before it had its whole response. */
  abstract readonly hasLostClient: boolean;
  /** The payload that the handler sent itself on its reply, if it did. */
  abstract readonly sentByHandler: { readonly payload: unknown } | undefined;
  /** Whether the exception filters can answer by `clientReply` while the load has the object. */
  abstract readonly reachesFilters: boolean;

  abstract begin(): void;
  /** What the load has set so far. */
  abstract read(): LoadFields;
  /** @param type the content type that the handler or its route has named */
  abstract represent(value: unknown, type: string | undefined, send: SendValue): Represented;
  abstract end(): void;
  /** The reply to answer the client by while the load runs, or may begin at any time. */
  abstract clientReply(): ClientReply;
  /** Gives the object back for a filter to answer by, while the load runs on. */
  abstract share(): void;
}
