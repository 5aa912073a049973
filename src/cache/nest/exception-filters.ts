import type { ExecutionContext, Type } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { ProblemFilter } from '../../server/problem.filter';

/** The exception filters of the application: the error classes that they may distinguish. */

// The names under which Nest stores @UseFilters and the classes of a filter's @Catch (@nestjs/common, constants).
export const FILTERS = '__exceptionFilters__';
const CAUGHT = '__filterCatchExceptions__';

/** The classes that each exception filter of the application catches; none means all. */
export type CaughtClasses = readonly (readonly Type[])[];

/** Without the service's own filter: it answers an error by its code, regardless of its class. */
export function caughtClasses(context: ExecutionContext, config: ApplicationConfig): CaughtClasses {
  const on = (target: object): object[] => (Reflect.getMetadata(FILTERS, target) as object[] | undefined) ?? [];
  const filters = [
    ...[context.getHandler(), context.getClass()].flatMap(on),
    ...[...config.getGlobalFilters(), ...config.getGlobalRequestFilters()],
  ];
  return filters
    .map(typeOf)
    .filter((type) => type !== ProblemFilter)
    .map((type) => (Reflect.getMetadata(CAUGHT, type) as Type[] | undefined) ?? []);
}

export function catches(filters: CaughtClasses, error: unknown): boolean {
  return filters.some((classes) => classes.length === 0 || classes.some((one) => error instanceof one));
}

/** @param one an instance, a class, or Nest's record of a request-scoped one */
export function typeOf(one: object): object {
  const { metatype } = one as { metatype?: object };
  return typeof one === 'function' ? one : (metatype ?? one.constructor);
}
