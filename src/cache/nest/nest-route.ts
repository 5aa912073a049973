import type { ExecutionContext, Type, VersioningOptions } from '@nestjs/common';
import {
  CUSTOM_ROUTE_ARGS_METADATA,
  EXCEPTION_FILTERS_METADATA,
  FILTER_CATCH_EXCEPTIONS,
  GUARDS_METADATA,
  HEADERS_METADATA,
  HOST_METADATA,
  INTERCEPTORS_METADATA,
  METHOD_METADATA,
  REDIRECT_METADATA,
  RENDER_METADATA,
  RESPONSE_PASSTHROUGH_METADATA,
  ROUTE_ARGS_METADATA,
  SSE_METADATA,
  VERSION_METADATA,
} from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { FASTIFY_ROUTE_CONSTRAINTS_METADATA } from '@nestjs/platform-fastify/constants.js';
import type { FastifyRequest } from 'fastify';
import { declaredRoute, hooksOf } from '../../server/declared-routes';
import { ProblemFilter } from '../../server/problem.filter';
import { LOAD_FACTORIES, type RouteRule } from './cache-rule.decorator';
import { handlerUnwrapper, prototypesOf } from './handler-unwrapper';
import { isKeptWhole } from './kept-fields';

/** Marks classes of interceptors that are the cache, or extend it. */
export const IS_CACHE = Symbol('larder.is-cache');

const NOT_VALUES: readonly (readonly [name: string, why: string])[] = [
  [SSE_METADATA, 'it is an @Sse() stream'],
  [REDIRECT_METADATA, 'it is a @Redirect()'],
  [RENDER_METADATA, 'it is rendered (@Render())'],
];
const TYPES: Readonly<Record<keyof typeof RouteParamtypes, number>> = RouteParamtypes;
const { REQUEST, RESPONSE, NEXT, BODY, QUERY, PARAM, HEADERS, SESSION, FILE, FILES, HOST, IP, RAW_BODY } = TYPES;
/** Arguments that the default key does not cover. */
const OF_CALLER: readonly number[] = [
  ...[REQUEST, BODY, HEADERS, SESSION, FILE, FILES, IP, RAW_BODY, TYPES.COOKIES, TYPES.SIGNED_COOKIES],
];

type Callback = ReturnType<ExecutionContext['getHandler']>;

interface RouteArgument {
  readonly type: number;
  /** Whether an application's own decorator makes it, which may read anything. */
  readonly isCustom: boolean;
  readonly data: unknown;
}

interface UrlArgument {
  readonly from: 'query' | 'params';
  readonly member: string | undefined;
}

/** The handler of a route and what Nest runs around it, as far as the cache must know it. */
export class NestRoute {
  /** Of controller and handler, for log lines. */
  readonly name: string;
  readonly method: unknown;
  readonly version: unknown;
  /** The constraints by which Fastify routes to the handler, besides method and URL. */
  readonly constraints: unknown;
  /** The fields that the route sets with `@Header`, names in lower case. */
  readonly fieldNames: ReadonlySet<string>;
  /** A field that the route sets on each of its responses, and that stored responses lack; undefined for none. */
  readonly unkeptField: string | undefined;
  /**
   * Whether other code may change the value before it is sent: an interceptor in front of the cache, or a `preSerialization` hook. If the
   * cache is not in the list, another interceptor calls it.
   */
  readonly isHandedOn: boolean;
  /** Whether the handler, or interceptors behind the cache, may access the reply. */
  readonly mayTouchReply: boolean;
  /** Whether the route or its controller has exception filters of its own. */
  readonly hasOwnFilters: boolean;
  /** What the handler takes of its URL: a member, or all. */
  readonly urlArguments: readonly UrlArgument[];
  private readonly controller: Type;
  private readonly handler: Callback;
  private readonly arguments: readonly RouteArgument[];
  /** In the order in which Nest runs them. */
  private readonly interceptors: readonly object[];
  /** The classes that each exception filter of the application catches; none means all. */
  private readonly caught: readonly (readonly Type[])[];

  constructor(
    context: ExecutionContext,
    private readonly config: ApplicationConfig,
    private readonly modules: ModulesContainer,
  ) {
    const [controller, handler] = [context.getClass(), context.getHandler()];
    this.controller = controller;
    this.handler = handler;
    this.name = `${controller.name}.${handler.name}`;
    this.method = Reflect.getMetadata(METHOD_METADATA, handler);
    this.version = Reflect.getMetadata(VERSION_METADATA, handler) ?? Reflect.getMetadata(VERSION_METADATA, controller);
    this.constraints = constraintsOf(handler);
    const fields = listIn<{ name: string; value: unknown }>(HEADERS_METADATA, handler);
    this.fieldNames = new Set(fields.map(({ name }) => name.toLowerCase()));
    const unkept = fields.find(({ name, value }) => !isKeptWhole(name, value));
    this.unkeptField = unkept && `@Header('${unkept.name}')`;
    this.arguments = this.readArguments();
    this.urlArguments = this.arguments
      .filter(({ type }) => type === QUERY || type === PARAM)
      .map(({ type, data }): UrlArgument => {
        return { from: type === QUERY ? 'query' : 'params', member: typeof data === 'string' ? data : undefined };
      })
      // decorators list them from the last to the first
      .sort((one, other) => (`${one.from} ${one.member ?? ''}` < `${other.from} ${other.member ?? ''}` ? -1 : 1));
    this.interceptors = [
      ...[...config.getGlobalInterceptors(), ...config.getGlobalRequestInterceptors()],
      ...this.enhancers(INTERCEPTORS_METADATA),
    ].filter((one) => one !== handlerUnwrapper); // it changes nothing for the client
    const [first] = this.interceptors;
    this.isHandedOn = first === undefined || !isCache(first) || hasSerializationHook(context);
    const inner = this.interceptors.slice(this.interceptors.findIndex(isCache));
    const takesReply = this.arguments.some(({ type, isCustom }) => isCustom || type === RESPONSE || type === NEXT);
    this.mayTouchReply = takesReply || !inner.every(isCache);
    const filters = this.enhancers(EXCEPTION_FILTERS_METADATA);
    this.hasOwnFilters = filters.length > 0;
    this.caught = [...filters, ...config.getGlobalFilters(), ...config.getGlobalRequestFilters()]
      .map(typeOf)
      .filter((type) => type !== ProblemFilter) // it answers an error by its code, regardless of its class
      .map((type) => listIn<Type>(FILTER_CATCH_EXCEPTIONS, type));
  }

  /** Whether an exception filter may distinguish the error by its class. */
  catches(error: unknown): boolean {
    return this.caught.some((classes) => classes.length === 0 || classes.some((one) => error instanceof one));
  }

  /** Why its responses are not values that Nest sends; undefined where they are. */
  whyNoValue(): string | undefined {
    const known = NOT_VALUES.find(([name]) => Reflect.hasMetadata(name, this.handler));
    if (known) return known[1];
    const isHandedOver = this.arguments.some(({ type }) => type === RESPONSE || type === NEXT);
    const isPassthrough =
      Reflect.getMetadata(RESPONSE_PASSTHROUGH_METADATA, this.controller, this.propertyName()) === true;
    return isHandedOver && !isPassthrough ? 'it takes @Res() or @Next() without { passthrough: true }' : undefined;
  }

  /** Why its responses may differ between callers; undefined without a sign of it. */
  whyNotForAll({ vary = [], hashBody = false, resource }: RouteRule): string | undefined {
    if (this.guards().length > 0) return 'a guard distinguishes its callers, and its key does not';
    const wrappers = [...this.modules.values()].flatMap(({ controllers }) => [...controllers.values()]);
    if (wrappers.some((one) => one.metatype === this.controller && !one.isDependencyTreeStatic()))
      return 'its controller is made for each request, and its key does not distinguish callers';
    // The rule hashes @Body(), and selects by @Headers() of a field in `vary`.
    const isCovered = ({ type, data }: RouteArgument): boolean =>
      (type === BODY && hashBody) ||
      (type === HEADERS &&
        typeof data === 'string' &&
        vary.some((field) => field.toLowerCase() === data.toLowerCase()));
    const isOutside = (one: RouteArgument): boolean =>
      one.isCustom || OF_CALLER.includes(one.type) || (one.type === HOST && resource !== undefined);
    return this.arguments.some((one) => isOutside(one) && !isCovered(one))
      ? 'it takes what is not in its key (@Req(), @Headers(), @Ip(), @Session(), a body, cookies or a decorator of its own)'
      : undefined;
  }

  /** What Nest runs in front of the handler besides the cache, or what changes the response; undefined for none. */
  obstacle(): string | undefined {
    const [guard] = this.guards();
    if (guard !== undefined) return `guard ${nameOf(guard)}`;
    const other = this.interceptors.find((one) => !isPlainCache(one));
    if (other !== undefined) return `interceptor ${nameOf(other)}`;
    if (this.interceptors.length === 0) return 'an interceptor that calls the cache';
    if (this.enhancers(HOST_METADATA).length > 0) return 'the host of its controller';
    return this.unkeptField;
  }

  versioning(): VersioningOptions | undefined {
    return this.config.getVersioning();
  }

  /** Whether any handler has constraints: then another one of the same URL may have none. */
  hasConstrainedNeighbours(): boolean {
    return [...this.modules.values()]
      .flatMap(({ controllers }) => [...controllers.values()])
      .map(({ metatype }) => (metatype as Type | null)?.prototype as object | undefined)
      .some((prototype) => prototype && methodsOf(prototype).some((one) => constraintsOf(one) !== undefined));
  }

  private guards(): readonly object[] {
    const { config } = this;
    return [
      ...config.getGlobalGuards(),
      ...config.getGlobalRequestGuards(),
      ...this.enhancers(GUARDS_METADATA),
    ] as object[];
  }

  /** On the controller, then on the handler. */
  private enhancers(name: string): readonly object[] {
    return [...listIn<object>(name, this.controller), ...listIn<object>(name, this.handler)];
  }

  /** By keys such as `4:0`: the type, then the place. */
  private readArguments(): readonly RouteArgument[] {
    type Given = readonly [name: string, argument: { readonly data?: unknown; readonly factory?: unknown }];
    const metadata: unknown = Reflect.getMetadata(ROUTE_ARGS_METADATA, this.controller, this.propertyName());
    return Object.entries(metadata ?? {}).map(([name, { data, factory }]: Given) => ({
      type: Number(name.split(':', 1)[0]),
      isCustom: name.includes(CUSTOM_ROUTE_ARGS_METADATA) && !LOAD_FACTORIES.has(factory),
      data,
    }));
  }

  /** The name of the handler on its controller: a decorator may have changed the function's own. */
  private propertyName(): string {
    const { handler } = this;
    for (const level of prototypesOf(this.controller.prototype as object)) {
      const members = Object.entries(Object.getOwnPropertyDescriptors(level));
      const found = members.find(([, { value }]: [string, PropertyDescriptor]) => value === handler);
      if (found) return found[0];
    }
    return handler.name;
  }
}

function listIn<T>(name: string, target: object): readonly T[] {
  return [(Reflect.getMetadata(name, target) as T | T[] | undefined) ?? []].flat() as T[];
}

function constraintsOf(handler: object): unknown {
  return Reflect.getMetadata(FASTIFY_ROUTE_CONSTRAINTS_METADATA, handler);
}

function methodsOf(prototype: object): readonly object[] {
  return prototypesOf(prototype)
    .flatMap((level) => Object.values(Object.getOwnPropertyDescriptors(level)))
    .map(({ value }: PropertyDescriptor) => value as unknown)
    .filter((one): one is object => typeof one === 'function');
}

/** The name of a class, or of an instance's class. */
function nameOf(enhancer: object): string {
  return (typeof enhancer === 'function' ? enhancer : enhancer.constructor).name;
}

/** @param one an instance, a class, or Nest's record of a request-scoped one */
function typeOf(one: object): object {
  const { metatype } = one as { metatype?: object };
  return typeof one === 'function' ? one : (metatype ?? one.constructor);
}

function isCache(one: object): boolean {
  return (typeOf(one) as { [IS_CACHE]?: boolean })[IS_CACHE] === true;
}

/** Not for a subclass of the cache's interceptor, which may do more. */
function isPlainCache(one: object): boolean {
  return Object.hasOwn(typeof one === 'function' ? one : one.constructor, IS_CACHE);
}

/** Not for requests of other frameworks. In doubt there is one. */
function hasSerializationHook(context: ExecutionContext): boolean {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  if ((request as Partial<FastifyRequest>).routeOptions === undefined) return false;
  const route = declaredRoute(request);
  return route === undefined || hooksOf(route, 'preSerialization')?.length !== 0;
}
