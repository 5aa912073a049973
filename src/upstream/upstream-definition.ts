import type { z } from 'zod';
import type { ClientProblem, ProblemBody, ProblemKind } from '../kernel/problem-table';
import type { RateLimitAdapter } from './budget/rate-limit-adapter';
import type { LimitKind } from './budget/rate-limit.error';
import type { CredentialRules } from './gateway/credentials';
import type { GatewayRule } from './gateway/gateway-rules';
import type { DocumentedPaths } from './open-api';
import type { UpstreamLimits } from './upstream-api';
import type { WebhookDefinition } from './webhooks/webhook-definition';

/** Settings of an upstream's own, by their names without the upstream's prefix. */
export type SettingsShape = Readonly<Record<string, z.ZodType>>;

/** The settings of an upstream, as its functions and the kit see them. */
export interface UpstreamSettings<S extends SettingsShape = SettingsShape> {
  readonly baseUrl: string;
  /** The service's own. */
  readonly token: string | undefined;
  readonly routePrefix: string;
  /** Nothing beyond the RFCs. */
  readonly isStrict: boolean;
  readonly sharesToken: boolean;
  /** Whether URLs in bodies are turned into the gateway's. */
  readonly rewritesBodies: boolean;
  readonly forwardHeaders: readonly string[];
  readonly webhookSecrets: readonly string[];
  readonly rules: readonly GatewayRule[];
  readonly settleMs: number;
  readonly reserve: number;
  readonly maxConcurrency: number;
  readonly pointsPerMinute: number;
  readonly corsOrigins: '*' | readonly string[];
  /** The settings of the definition's own schema, by their names without the prefix. */
  readonly own: { readonly [K in keyof S]: z.infer<S[K]> };
}

/** The possible changes of a write, besides the path itself. */
export interface WriteEffects {
  /** Tags of what it changes. The body is there where it is small. */
  tags?(path: string, method: string, body: Buffer | undefined): readonly string[];
  /**
   * How its answer is read for what the request does not say; undefined where the request says everything. The function gets the answer's JSON,
   * undefined for none, and returns tags, or undefined where that does not say either: then everything of the upstream is validated.
   */
  answerTags?(
    path: string,
    method: string,
    body: Buffer | undefined,
  ): ((answer: unknown) => readonly string[] | undefined) | undefined;
  /** Tokens that it revokes: their stored responses are removed. */
  tokensEnded?(path: string, method: string, body: Buffer | undefined): readonly string[] | undefined;
  /** Whether it may change any response of its caller. */
  changesCaller?(path: string, method: string, body: Buffer | undefined): boolean;
}

/** What clients expect of a response beside what the API sends. */
export interface Expected {
  readonly fields?: Readonly<Record<string, string>>;
  /** Members of its JSON object. */
  readonly members?: Readonly<Record<string, string>>;
}

/** A problem of the service's own on a route of the gateway. */
export interface GatewayProblem extends ProblemBody {
  /** For `upstream-rate-limited`: the kind of limit. */
  readonly limit: LimitKind | undefined;
  /** The `Accept` field of the request; empty for none. */
  readonly accept: string;
}

/**
 * Everything that differs between APIs, as plain data and pure functions. Only `name` and `baseUrl` are needed; the defaults are right
 * for a plain REST API. `UpstreamModule.register` makes a gateway, a client, a budget, webhooks, metrics and documents of it.
 */
export interface UpstreamDefinition<S extends SettingsShape = SettingsShape> {
  /** A short word, part of keys, tags, labels and paths. Upper-cased it is the prefix of its settings: `acme` → `ACME_API_URL`. */
  readonly name: string;
  /** The name in sentences. By default `name`. */
  readonly title?: string;
  /** Whether the API is there if `NAME_ENABLED` does not say otherwise. By default it is. */
  readonly isEnabled?: boolean;
  /** Where the API is, if `NAME_API_URL` does not say otherwise; undefined: that setting has to be given. May have a path. */
  readonly baseUrl: string | undefined;
  /** Where the gateway is mounted, if `NAME_ROUTE_PREFIX` does not say otherwise. By default `/NAME`. */
  readonly routePrefix?: string;
  /** Its own settings, by their names without the prefix. Example: `{ API_VERSION: z.string().default('2022-11-28') }` */
  readonly settings?: S;
  /**
   * Sent with the service's own requests, and `user-agent` also with requests of callers without one. By default JSON is accepted and the
   * agent is `larder`.
   */
  headers?(settings: UpstreamSettings<S>): Readonly<Record<string, string>>;
  /** Header fields that the API knows beside the usual ones: they go upstream and select the stored variant. Example: `['X-Api-Version']` */
  readonly forwards?: readonly string[];
  /** Header fields that go upstream with writes although they look like credentials. Others than such go with writes anyway. Example: `['X-Otp']` */
  readonly forwardsWithWrites?: readonly string[];
  /** How callers say who they are. By default in `Authorization`. */
  readonly credentials?: CredentialRules;
  /** How it announces rate limits. By default by 429 and `Retry-After` alone. */
  readonly rateLimit?: RateLimitAdapter;
  /** Defaults of `NAME_MAX_CONCURRENCY` (64), `NAME_POINTS_PER_MINUTE` (0: no limit) and `NAME_SETTLE_SECONDS` (10). */
  readonly maxConcurrency?: number;
  readonly pointsPerMinute?: number;
  readonly settleSeconds?: number;
  /** Whether `/Users` and `/users` are the same path. By default they are not (RFC 3986 §6.2.2.1). */
  readonly foldsCase?: boolean;
  /** What its tags begin with where they are stored. By default `NAME:`, so that `user:1` of two APIs are two tags. */
  readonly tagPrefix?: string;
  /** Tags of a path's responses, besides `upstream:NAME` and `path:NAME:PATH`. */
  tags?(path: string): readonly string[];
  /**
   * Tags of the same thing by other names, as `tags` has them: where an operator or code invalidates a tag, they are invalidated as well. For a
   * thing with two names of which a request has one.
   */
  synonyms?(tag: string): readonly string[];
  /** The changes of a write, besides its own path and the paths in its `Location`. */
  readonly writes?: WriteEffects;
  /** Rules for paths, behind those of `NAME_RULES_FILE`: docs/reference/gateway-rules.md */
  readonly rules?: readonly (Partial<GatewayRule> & Pick<GatewayRule, 'path'>)[];
  /**
   * Whether callers without a credential share responses marked `private`: some APIs mark all of theirs, also what is public. By default they do
   * not (RFC 9111 §5.2.2.7).
   */
  readonly sharesPrivate?: boolean;
  /**
   * Whether stale responses are served while the API fails although it marks them `must-revalidate`: some frameworks mark all of theirs so. By
   * default they are not (RFC 9111 §5.2.2.2).
   */
  readonly staleDespiteMustRevalidate?: boolean;
  /** Statuses that are never stored, such as for work that is still under way. By default 202, 302 and 307. */
  readonly neverStored?: readonly number[];
  readonly webhook?: WebhookDefinition;
  /** The path of a link by another name of the same, where the API writes it otherwise than it was asked for. */
  linkedAs?(path: string, asked: string): string;
  /**
   * Paths outside of the gateway's prefix, and the paths behind it that they stand for. One that ends in `/*` stands for all below it. Those
   * that another upstream or a route of the service has are left out.
   */
  aliases?(routePrefix: string, settings: UpstreamSettings<S>): Readonly<Record<string, string>>;
  /**
   * Names of members of its JSON bodies that have URLs of the API. With it there is the setting `NAME_REWRITE_BODIES`, which turns them into
   * the gateway's. Example: `/^(?:url|\w+_url)$/`
   */
  readonly urlMembers?: RegExp;
  /** The additions that clients of an alias for the whole API (`/*`) expect of the response for a path, and that the API does not send. */
  expected?(path: string, settings: UpstreamSettings<S>): Expected | undefined;
  /**
   * Paths that are not below the base URL, and where they are: a path of the same origin. One that ends in `/*` stands for all below it, which
   * may be at another base URL.
   */
  beside?(baseUrl: string, settings: UpstreamSettings<S>): Readonly<Record<string, string>>;
  /** Time and size limits that differ from `UPSTREAM_…`. */
  readonly limits?: Partial<UpstreamLimits>;
  /** Error codes of its own controllers. Example: `{ 'user-not-found': { status: 404, title: 'User not found', mayRetry: false } }` */
  readonly problems?: Readonly<Record<string, ProblemKind>>;
  /**
   * The additions to a problem that the API's clients expect on the gateway's routes, such as the API's own members. By default RFC 9457's
   * members alone.
   */
  clientProblem?(problem: GatewayProblem): ClientProblem;
  /**
   * A cheap GET by which `larder doctor` sees whether the API and the token work, and the header field, in lower case, that lists what the
   * token may do. By default the base URL itself. Example: `{ path: '/user', scopesField: 'x-oauth-scopes' }`
   */
  readonly probe?: { readonly path: string; readonly scopesField?: string };
  /** The gateway's paths in the API documentation. */
  readonly openApi?: DocumentedPaths;
}
