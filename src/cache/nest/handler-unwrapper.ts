import type { CallHandler, ExecutionContext, NestInterceptor, Type } from '@nestjs/common';
import { INTERCEPTORS_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { map, type Observable } from 'rxjs';
import { AppError } from '../../kernel/app-error';
import { CACHE_RULE_METADATA, NEST_CACHE_KEY, NEST_CACHE_TTL, openLoadOf, type OpenLoad } from './cache-rule.decorator';
import { CacheableResult, NotModified, valueIn } from './handler-answer';

/**
 * Removes a handler's wrapper (`CacheableResult`, `NotModified`) right after the handler and gives it to the load with the request, so
 * that interceptors get plain values. An interceptor that rebuilds values would otherwise treat the wrapper as a value.
 */

const ON_CLASSES = [CACHE_RULE_METADATA, NEST_CACHE_TTL];
const ON_HANDLERS = [...ON_CLASSES, NEST_CACHE_KEY];

export function unwrapHandler(request: object, next: CallHandler): Observable<unknown> {
  const load = openLoadOf(request);
  if (load) load.wrapper = undefined;
  return next.handle().pipe(
    map((value: unknown) => {
      if (value instanceof NotModified && !load)
        throw new AppError('upstream-invalid', 'The upstream answered 304 to a request without validators.');
      if (load && (value instanceof CacheableResult || value instanceof NotModified)) load.wrapper = value;
      return value instanceof NotModified ? undefined : valueIn(value);
    }),
  );
}

/** The handler's result, wrapped again after interceptors have changed the value. */
export function rewrapped(value: unknown, { wrapper }: OpenLoad): unknown {
  if (wrapper instanceof NotModified) return wrapper;
  return wrapper instanceof CacheableResult && !(value instanceof CacheableResult)
    ? new CacheableResult(value, wrapper.origin)
    : value;
}

class HandlerUnwrapper implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return context.getType() === 'http'
      ? unwrapHandler(context.switchToHttp().getRequest<object>(), next)
      : next.handle();
  }
}

/** Runs behind all other interceptors. */
export const handlerUnwrapper = new HandlerUnwrapper();

/**
 * Adds the unwrapper next to the cached handlers of controllers, by a rule or as in stock Nest; must be called before Nest creates the
 * routes.
 */
export function unwrapHandlersOf(controller: Type): void {
  const isAll = ON_CLASSES.some((name) => Reflect.hasMetadata(name, controller));
  const members = prototypesOf(controller.prototype as object)
    .filter((level) => level !== Object.prototype)
    .flatMap((level) => Object.values(Object.getOwnPropertyDescriptors(level)));
  for (const { value } of members as { value?: unknown }[]) {
    if (typeof value !== 'function' || !Reflect.hasMetadata(PATH_METADATA, value)) continue;
    if (!isAll && !ON_HANDLERS.some((name) => Reflect.hasMetadata(name, value))) continue;
    const known = (Reflect.getMetadata(INTERCEPTORS_METADATA, value) as unknown[] | undefined) ?? [];
    if (known.includes(handlerUnwrapper)) continue;
    Reflect.defineMetadata(INTERCEPTORS_METADATA, [...known, handlerUnwrapper], value);
  }
}

/** The object, and those that it inherits from. */
export function prototypesOf(object: object): readonly object[] {
  const above = Object.getPrototypeOf(object) as object | null;
  return above ? [object, ...prototypesOf(above)] : [object];
}
