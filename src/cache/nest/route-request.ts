import type { FastifyRequest } from 'fastify';
import type { CachePolicy } from '../law/cache-policy';
import type { HeaderList } from '../model/cache-entry';
import type { HttpCacheRequest } from '../model/exchange';
import { rawRequestOf } from './client-reply';
import { replaceProperty } from './replace-property';
import type { AppliedRule } from './route-rule.reader';

type RawRequest = FastifyRequest['raw'];

/** Conditions (RFC 9110 §13.1) that the sender evaluates, and ranges. */
const FORM_FIELDS = ['if-none-match', 'if-modified-since', 'range', 'if-range'] as const;
/** Fields by which a client asks for its own form of the answer. */
const OF_THE_CLIENT: ReadonlySet<string> = new Set([
  ...[...FORM_FIELDS, 'if-match', 'if-unmodified-since'],
  ...['accept-encoding', 'cache-control', 'pragma'],
]);

/**
 * A request of a cached route for the engine. It has no signal: a load continues without its client, for the next one. The handler runs for
 * GET only: HEAD, ranges and conditions are applied when the answer is sent. Members that few requests need are computed on first use.
 */
export class RouteRequest implements HttpCacheRequest {
  readonly method = 'GET';
  readonly kind = 'shared';
  /** Its key speaks for the callers: without one, a request with credentials is not cached at all. */
  readonly hasAuthorization = false;
  readonly key: string;
  readonly projection: string | undefined;
  readonly policy: CachePolicy;
  readonly hasDirectives: boolean;
  readonly raw: RawRequest;
  /** As the client sent them, and middleware and hooks changed them; a load sees others. */
  private readonly fields: RawRequest['headers'];
  private list: HeaderList | undefined;

  constructor(
    readonly request: FastifyRequest,
    readonly applied: AppliedRule,
  ) {
    this.key = applied.key;
    this.projection = applied.projection;
    this.policy = applied.policy;
    this.raw = rawRequestOf(request);
    this.fields = this.raw.headers;
    this.hasDirectives = this.fields['cache-control'] !== undefined || this.fields.pragma !== undefined;
  }

  get upstream(): string {
    return this.applied.route.rule.upstream;
  }

  get hitFlagName(): string | undefined {
    return this.applied.route.rule.hitFlagName;
  }

  get tags(): readonly string[] {
    return this.applied.route.rule.tags?.(this.request) ?? [];
  }

  get headers(): HeaderList {
    return (this.list ??= listOf(Object.keys(this.fields), this.fields));
  }

  /** The conditions and the range of the client. */
  get formFields(): HeaderList {
    return listOf(FORM_FIELDS, this.fields);
  }

  get acceptEncoding(): string | undefined {
    return this.fields['accept-encoding']?.toString();
  }

  /**
   * Hides from the handler what concerns this client alone: the response is for every client (RFC 9111 §4.3.1 has a cache send conditions of
   * its own), and a HEAD gets the stored response of a GET without its body (RFC 9110 §9.3.2).
   *
   * @returns restores it
   */
  neutralise(): () => void {
    const { request, raw, fields } = this;
    const { method } = this.applied.route.keys;
    const neutral = Object.fromEntries(Object.entries(fields).filter(([name]) => !OF_THE_CLIENT.has(name)));
    const restoreFields = replaceProperty(raw, 'headers', { value: neutral, writable: true });
    const restoreMethod = replaceProperty(request, 'method', { value: method ?? request.method });
    return () => {
      restoreMethod();
      restoreFields();
    };
  }
}

function listOf(names: readonly string[], fields: RawRequest['headers']): HeaderList {
  return names.flatMap((name) => {
    const value = fields[name];
    return value === undefined ? [] : [[name, String(value)] as const];
  });
}
