import type { ExecutionContext, Type } from '@nestjs/common';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { CacheRule } from '../law/cache-rule';
import { FILTERS, typeOf } from './exception-filters';
import { isKeptWhole } from './handler-response';
import { handlerUnwrapper } from './handler-unwrapper';

/** The parts of Nest's pipeline in front of a handler, as far as a hit skips them. */

// The names under which Nest stores @UseGuards, @UseInterceptors, @Header and the host of a @Controller (@nestjs/common, constants).
const GUARDS = '__guards__';
const INTERCEPTORS = '__interceptors__';
const HEADERS = '__headers__';
const ROUTE_ARGS = '__routeArguments__';
const PASSTHROUGH = '__responsePassthrough__';
/** Nest's `RouteParamtypes` of @Res() and @Next(), as its keys of route arguments begin. */
const HANDS_OVER = /^[12]:/;
const OTHERWISE: readonly (readonly [name: string, why: string])[] = [
  ['__sse__', 'it is an @Sse() stream'],
  ['__redirect__', 'it is a @Redirect()'],
  ['__renderTemplate__', 'it is rendered (@Render())'],
];
const HOST = 'host';

/** Marks classes of interceptors that are the cache, or extend it. */
export const IS_CACHE = Symbol('larder.is-cache');
/** Fastify's property of a request with its route's hooks. */
const ROUTE_CONTEXT = 'fastify.context';
const CUSTOM_ARGS = '__customRouteArgs__';
// The metadata key of @RouteConstraints (@nestjs/platform-fastify, constants).
const CONSTRAINTS = '__fastify_route_constraints__';
/**
 * Nest's `RouteParamtypes` that the default key does not cover: the request, body, fields, session, files, address, raw body and cookies.
 */
const READS_CALLER = /^(?:0|3|6|7|8|9|11|12|14|15):/;
/** Its `RouteParamtypes` of the host's parameters, which a projection's name does not cover. */
const READS_HOST = /^10:/;
/** Its `RouteParamtypes` of the URL, and Fastify's and Express' names of them. */
const URL_ARGUMENTS = { 4: 'query', 5: 'params' } as const;

type Callback = ReturnType<ExecutionContext['getHandler']>;

/** The additions that Nest runs in front of the handler besides the cache, or that change the response; undefined for none. */
export function obstacleIn(context: ExecutionContext, config: ApplicationConfig): string | undefined {
  const targets: readonly object[] = [context.getHandler(), context.getClass()];
  const on = (name: string): unknown[] =>
    targets.flatMap((target) => (Reflect.getMetadata(name, target) as unknown[] | undefined) ?? []);
  const [guard] = [...config.getGlobalGuards(), ...config.getGlobalRequestGuards(), ...on(GUARDS)] as object[];
  if (guard !== undefined) return `guard ${nameOf(guard)}`;
  const interceptors = interceptorsOf(context, config);
  const other = interceptors.find((one) => !isPlainCache(one));
  if (other !== undefined) return `interceptor ${nameOf(other)}`;
  if (interceptors.length === 0) return 'an interceptor that calls the cache';
  if (on(HOST).length > 0) return 'the host of its controller';
  return unkeptField(context);
}

/** A field that the route sets on each of its responses, and that stored responses lack; undefined for none. */
export function unkeptField(context: ExecutionContext): string | undefined {
  const field = headersOf(context).find(({ name, value }) => !isKeptWhole(name, value));
  return field && `@Header('${field.name}')`;
}

/** Not for a subclass of the cache's interceptor, which may do more. */
function isPlainCache(one: object): boolean {
  const type = typeof one === 'function' ? one : one.constructor;
  return Object.hasOwn(type, IS_CACHE);
}

/** The name of a class, or of an instance's class. */
function nameOf(enhancer: object): string {
  return (typeof enhancer === 'function' ? enhancer : enhancer.constructor).name;
}

/** Why the responses of a route may differ between callers; undefined without a sign of it. */
export function whyNotForAll(
  context: ExecutionContext,
  config: ApplicationConfig,
  modules: ModulesContainer,
  harmless: ReadonlySet<unknown>,
  rule: Pick<CacheRule, 'vary' | 'hashBody'> & { readonly resource?: unknown },
): string | undefined {
  const own = [context.getHandler(), context.getClass()].some((target) => Reflect.hasMetadata(GUARDS, target));
  if (own || config.getGlobalGuards().length + config.getGlobalRequestGuards().length > 0)
    return 'a guard distinguishes its callers, and its key does not';
  const controller = context.getClass();
  const wrappers = [...modules.values()].flatMap(({ controllers }) => [...controllers.values()]);
  const isScoped = wrappers.some((one) => one.metatype === controller && !one.isDependencyTreeStatic());
  if (isScoped) return 'its controller is made for each request, and its key does not distinguish callers';
  const args = argumentsOf(context).filter(([name, { data }]) => !isInKey(name, data, rule));
  const isProjection = rule.resource !== undefined;
  const isOutside = ([name, { factory }]: RouteArgument): boolean =>
    READS_CALLER.test(name) || (isProjection && READS_HOST.test(name)) || isCustom(name, factory, harmless);
  return args.some(isOutside)
    ? 'it takes what is not in its key (@Req(), @Headers(), @Ip(), @Session(), a body, cookies or a decorator of its own)'
    : undefined;
}

/** What the handler takes of its URL: a member, or all. In the order of their names: decorators list them from the last to the first. */
export function urlArguments(
  context: ExecutionContext,
): readonly { readonly from: 'query' | 'params'; readonly member: string | undefined }[] {
  return argumentsOf(context)
    .flatMap(([name, { data }]) => {
      const from = URL_ARGUMENTS[name.split(':', 1)[0] as unknown as keyof typeof URL_ARGUMENTS] as
        'query' | 'params' | undefined;
      return from === undefined ? [] : [{ from, member: typeof data === 'string' ? data : undefined }];
    })
    .sort((one, other) => (`${one.from} ${one.member ?? ''}` < `${other.from} ${other.member ?? ''}` ? -1 : 1));
}

/** Whether the rule selects by it, or hashes it: @Headers() of a field in `vary`, @Body(). */
function isInKey(
  name: string,
  data: unknown,
  { vary = [], hashBody = false }: Pick<CacheRule, 'vary' | 'hashBody'>,
): boolean {
  if (hashBody && name.startsWith('3:')) return true;
  const isField = name.startsWith('6:') && typeof data === 'string';
  return isField && vary.some((field) => field.toLowerCase() === data.toLowerCase());
}

/** The constraints by which Fastify routes to a handler, besides method and URL. */
export function constraintsOf(handler: object): unknown {
  return Reflect.getMetadata(CONSTRAINTS, handler);
}

/** Whether any handler has constraints: then another one of the same URL may have none. */
export function hasConstraints(modules: ModulesContainer): boolean {
  const prototypes = [...modules.values()]
    .flatMap(({ controllers }) => [...controllers.values()])
    .map(({ metatype }) => (metatype as Type | null)?.prototype as object | undefined);
  return prototypes.some(
    (prototype) => prototype && methodsOf(prototype).some((one) => constraintsOf(one) !== undefined),
  );
}

function methodsOf(prototype: object): readonly object[] {
  const above = Object.getPrototypeOf(prototype) as object | null;
  const own = Object.values(Object.getOwnPropertyDescriptors(prototype)).map(
    ({ value }: PropertyDescriptor) => value as unknown,
  );
  return [...own.filter((one): one is object => typeof one === 'function'), ...(above ? methodsOf(above) : [])];
}

/**
 * Whether other code may change the value before it is sent: an interceptor in front of the cache, or a `preSerialization` hook. If the
 * cache is not in the list, another interceptor calls it.
 */
export function isHandedOn(context: ExecutionContext, config: ApplicationConfig): boolean {
  const [first] = interceptorsOf(context, config);
  return first === undefined || !isCache(first) || hasSerializationHook(context);
}

/** Whether the handler, or interceptors behind the cache, may access the reply. */
export function mayTouchReply(
  context: ExecutionContext,
  config: ApplicationConfig,
  harmless: ReadonlySet<unknown>,
): boolean {
  const interceptors = interceptorsOf(context, config);
  const takesIt = ([name, { factory }]: RouteArgument): boolean =>
    HANDS_OVER.test(name) || isCustom(name, factory, harmless);
  return !interceptors.slice(interceptors.findIndex(isCache)).every(isCache) || argumentsOf(context).some(takesIt);
}

type RouteArgument = [name: string, { factory?: unknown; data?: unknown }];

function argumentsOf(context: ExecutionContext): RouteArgument[] {
  return Object.entries(routeArgsOf(context) as Readonly<Record<string, { factory?: unknown; data?: unknown }>>);
}

/** Whether it is made by an application's own decorator, which may read anything. */
function isCustom(name: string, factory: unknown, harmless: ReadonlySet<unknown>): boolean {
  return name.includes(CUSTOM_ARGS) && !harmless.has(factory);
}

/** In the order in which Nest runs them. */
function interceptorsOf(context: ExecutionContext, config: ApplicationConfig): readonly object[] {
  const on = (target: object): object[] => (Reflect.getMetadata(INTERCEPTORS, target) as object[] | undefined) ?? [];
  return [
    ...config.getGlobalInterceptors(),
    ...config.getGlobalRequestInterceptors(),
    ...on(context.getClass()),
    ...on(context.getHandler()),
  ].filter((one) => one !== handlerUnwrapper); // it changes nothing for the client
}

function isCache(one: object): boolean {
  return (typeOf(one) as { [IS_CACHE]?: boolean })[IS_CACHE] === true;
}

function hasSerializationHook(context: ExecutionContext): boolean {
  const request = context.switchToHttp().getRequest<Record<symbol, { preSerialization?: unknown } | undefined>>();
  const symbol = Object.getOwnPropertySymbols(request).find(({ description }) => description === ROUTE_CONTEXT);
  return symbol !== undefined && Boolean(request[symbol]?.preSerialization);
}

/** The names of the fields that the route sets with `@Header`, in lower case. */
export function routeFieldsOf(context: ExecutionContext): ReadonlySet<string> {
  return new Set(headersOf(context).map(({ name }) => name.toLowerCase()));
}

/** Whether the route or its controller has exception filters of its own. */
export function hasOwnFilters(context: ExecutionContext): boolean {
  return [context.getHandler(), context.getClass()].some((target) => Reflect.hasMetadata(FILTERS, target));
}

/** Why the responses of a route are not values that Nest sends, judged by its decorators; undefined where they are. */
export function whyNoValue(context: ExecutionContext): string | undefined {
  const handler = context.getHandler();
  const known = OTHERWISE.find(([name]) => Reflect.hasMetadata(name, handler));
  if (known) return known[1];
  const controller = context.getClass();
  const isHandedOver = Object.keys(routeArgsOf(context)).some((one) => HANDS_OVER.test(one));
  const isPassthrough = Reflect.getMetadata(PASSTHROUGH, controller, methodOf(controller, handler)) === true;
  return isHandedOver && !isPassthrough ? 'it takes @Res() or @Next() without { passthrough: true }' : undefined;
}

function routeArgsOf(context: ExecutionContext): Readonly<Record<string, unknown>> {
  const controller = context.getClass();
  const args: unknown = Reflect.getMetadata(ROUTE_ARGS, controller, methodOf(controller, context.getHandler()));
  return (args ?? {}) as Readonly<Record<string, unknown>>;
}

/** The name of a handler on its controller: a decorator may have changed the function's own. */
function methodOf(controller: Type, handler: Callback): string {
  for (
    let level = controller.prototype as object | null;
    level;
    level = Object.getPrototypeOf(level) as object | null
  ) {
    const name = Object.getOwnPropertyNames(level).find(
      (one) => Object.getOwnPropertyDescriptor(level, one)?.value === handler,
    );
    if (name !== undefined) return name;
  }
  return handler.name;
}

function headersOf(context: ExecutionContext): readonly { name: string; value: unknown }[] {
  return (Reflect.getMetadata(HEADERS, context.getHandler()) as { name: string; value: unknown }[] | undefined) ?? [];
}
