import type { ExecutionContext } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { isKeptWhole } from './handler-response';

/*
 * What Nest has in front of a handler, as far as a hit that skips it has to know.
 */

// The names under which Nest keeps @UseGuards, @UseInterceptors, @UseFilters, @Header and the host of a @Controller
// (@nestjs/common, constants).
const GUARDS = '__guards__';
const INTERCEPTORS = '__interceptors__';
const FILTERS = '__exceptionFilters__';
const HEADERS = '__headers__';
const HOST = 'host';

/** Whether the interceptor is all that Nest has in front of the handler. */
export function hasNothingElse(context: ExecutionContext, interceptor: unknown, config: ApplicationConfig): boolean {
  const targets: readonly object[] = [context.getHandler(), context.getClass()];
  const on = (name: string): unknown[] =>
    targets.flatMap((target) => (Reflect.getMetadata(name, target) as unknown[] | undefined) ?? []);
  const guards = [...config.getGlobalGuards(), ...config.getGlobalRequestGuards(), ...on(GUARDS)];
  const interceptors = [
    ...config.getGlobalInterceptors(),
    ...config.getGlobalRequestInterceptors(),
    ...on(INTERCEPTORS),
  ] as object[];
  const isIt = (one: object): boolean => one === interceptor || one.constructor === interceptor;
  return guards.length + on(HOST).length === 0 && interceptors.length === 1 && interceptors.every(isIt);
}

/** Whether all that the route sets with `@Header` is in what is kept of its answers. */
export function keepsItsFields(context: ExecutionContext): boolean {
  return headersOf(context).every(({ name, value }) => isKeptWhole(name, value));
}

/** The names of the fields that the route sets with `@Header`, in lower case. */
export function routeFieldsOf(context: ExecutionContext): ReadonlySet<string> {
  return new Set(headersOf(context).map(({ name }) => name.toLowerCase()));
}

/** Whether the route or its controller has exception filters of its own. */
export function hasOwnFilters(context: ExecutionContext): boolean {
  return [context.getHandler(), context.getClass()].some((target) => Reflect.hasMetadata(FILTERS, target));
}

function headersOf(context: ExecutionContext): readonly { name: string; value: unknown }[] {
  return (Reflect.getMetadata(HEADERS, context.getHandler()) as { name: string; value: unknown }[] | undefined) ?? [];
}
