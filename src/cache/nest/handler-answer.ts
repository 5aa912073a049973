import { AppError } from '../../kernel/app-error';
import type { OpenLoad } from './cache-rule.decorator';
import type { HeaderList, Validators } from '../model/cache-entry';
import type { Found } from '../store/cache-store';
import type { OriginResponse } from '../model/exchange';

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

/**
 * As `valueIn`, behind the load's own interceptor: the load gets the wrapper, all interceptors in between get the value.
 *
 * @param load the open load when the handler was called; undefined without one
 */
export function unwrapFor(load: OpenLoad | undefined, value: unknown): unknown {
  if (load && (value instanceof CacheableResult || value instanceof NotModified)) load.wrapper = value;
  if (!load && value instanceof NotModified)
    throw new AppError('upstream-invalid', 'The upstream answered 304 to a request without validators.');
  return value instanceof NotModified ? undefined : valueIn(value);
}

/** The handler's result, wrapped again after interceptors have changed the value. */
export function rewrapped(value: unknown, { wrapper }: OpenLoad): unknown {
  if (wrapper instanceof NotModified) return wrapper;
  return wrapper instanceof CacheableResult && !(value instanceof CacheableResult)
    ? new CacheableResult(value, wrapper.origin)
    : value;
}
