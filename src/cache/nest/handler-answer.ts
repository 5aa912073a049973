import type { OriginResponse } from '../model/exchange';
import type { HeaderList, Validators } from '../model/cache-entry';
import type { Found } from '../store/cache-store';

/** A handler's result for the cache; the origin adds the times. */
export type HandlerResult = Omit<OriginResponse, 'requestedAt' | 'receivedAt'>;

/** Which requests may share a response with the load's own client. */
export interface Sharing {
  /** The response is for the load's own client alone. */
  readonly isForOneClient: boolean;
  /** Each use needs validation (`no-cache`, RFC 9111 §5.2.2.4). */
  readonly needsValidation: boolean;
  /** The request fields that select it. */
  readonly vary: string | undefined;
}

/** A handler's result with more than a plain value: the value, and the upstream's facts about it. */
export class CacheableResult<T> {
  constructor(
    readonly value: T,
    readonly origin: {
      readonly validators?: Validators;
      readonly tags?: readonly string[];
      /** The stored response that it was derived from, if no request went upstream. */
      readonly derivedFrom?: Found;
    } = {},
  ) {}
}

/** A handler returns it when the upstream has validated the stored response (304). */
export class NotModified {
  constructor(readonly headers: HeaderList = []) {}
}

/** The plain value that a handler returned. */
export function valueIn(value: unknown): unknown {
  return value instanceof CacheableResult ? value.value : value;
}
