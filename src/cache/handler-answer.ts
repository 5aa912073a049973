import { AppError } from '../kernel/app-error';
import type { OpenLoad } from './cache-rule.decorator';
import type { HeaderList, Validators } from './core/cache-entry';
import type { Found } from './core/cache-store';
import type { OriginResponse } from './core/http/exchange';

/** What a handler gives the cache; the origin adds when. */
export type HandlerResult = Omit<OriginResponse, 'requestedAt' | 'receivedAt'>;

/** What a handler may return instead of a plain value: the value, and what the upstream said of it. */
export class CacheableResult<T> {
  constructor(
    readonly value: T,
    readonly origin: {
      readonly validators?: Validators;
      readonly tags?: readonly string[];
      /** What it was made of, where that was in the store: the upstream was not asked. */
      readonly derivedFrom?: Found;
    } = {},
  ) {}
}

/** What a handler returns when the upstream says that the stored answer still holds (304). */
export class NotModified {
  constructor(readonly headers: HeaderList = []) {}
}

/** The plain value that a handler returned. */
export function valueIn(value: unknown): unknown {
  return value instanceof CacheableResult ? value.value : value;
}

/**
 * As `valueIn`, behind the interceptor whose load it is: the load gets the wrapper, everyone between gets the value.
 *
 * @param load the load that was open when the handler was called; undefined where the handler is called for no load
 */
export function unwrapFor(load: OpenLoad | undefined, value: unknown): unknown {
  if (load && (value instanceof CacheableResult || value instanceof NotModified)) load.wrapper = value;
  if (!load && value instanceof NotModified)
    throw new AppError('upstream-invalid', 'The upstream answered 304 to a request without validators.');
  return value instanceof NotModified ? undefined : valueIn(value);
}

/** What the handler returned, put together again from what came through. */
export function rewrapped(value: unknown, { wrapper }: OpenLoad): unknown {
  if (wrapper instanceof NotModified) return wrapper;
  return wrapper instanceof CacheableResult && !(value instanceof CacheableResult)
    ? new CacheableResult(value, wrapper.origin)
    : value;
}
