import type { CallHandler, ExecutionContext, NestInterceptor, Type } from '@nestjs/common';
import { map, type Observable } from 'rxjs';
import { CACHE_RULE_METADATA, NEST_CACHE_KEY, NEST_CACHE_TTL, openLoadOf } from './cache-rule.decorator';
import { unwrapFor } from './handler-answer';

/**
 * Removes a handler's wrapper (`CacheableResult`, `NotModified`) right after the handler and gives it to the load with the request, so
 * that interceptors get plain values. An interceptor that rebuilds values would otherwise treat the wrapper as a value.
 */

/** The name under which Nest keeps @UseInterceptors and the path of a route (@nestjs/common, constants). */
const INTERCEPTORS = '__interceptors__';
const PATH = 'path';
const ON_CLASSES = [CACHE_RULE_METADATA, NEST_CACHE_TTL];
const ON_HANDLERS = [...ON_CLASSES, NEST_CACHE_KEY];

export function unwrapHandler(request: object, next: CallHandler): Observable<unknown> {
  const load = openLoadOf(request);
  if (load) load.wrapper = undefined;
  return next.handle().pipe(map((value: unknown) => unwrapFor(load, value)));
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
  for (
    let level = controller.prototype as object | null;
    level && level !== Object.prototype;
    level = Object.getPrototypeOf(level) as object | null
  ) {
    for (const { value } of Object.values(Object.getOwnPropertyDescriptors(level)) as { value?: unknown }[]) {
      if (typeof value !== 'function' || !Reflect.hasMetadata(PATH, value)) continue;
      if (!isAll && !ON_HANDLERS.some((name) => Reflect.hasMetadata(name, value))) continue;
      const known = (Reflect.getMetadata(INTERCEPTORS, value) as unknown[] | undefined) ?? [];
      if (!known.includes(handlerUnwrapper)) Reflect.defineMetadata(INTERCEPTORS, [...known, handlerUnwrapper], value);
    }
  }
}
