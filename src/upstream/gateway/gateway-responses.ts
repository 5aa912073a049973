import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { orUnreadable, type CacheEntry, type HeaderList, type StoredAnswer } from '../../cache';
import { PreparedResponse, type PreparedResponses, type Presentation } from '../../cache/fast-path';
import { clientOrigin, type ClientOrigin } from '../../server/client-origin';
import type { UpstreamContext } from '../upstream-context';
import type { Expected } from '../upstream-definition';
import { BodyEdit, withoutDates } from './body-edit';
import type { CachedRequests } from './cached-requests';
import { limitsNow, PRESENTATION, withoutCors, type LimitsNow } from './gateway-fields';
import { UnpackedBodies } from './unpacked-bodies';
import type { UrlReplacement } from './json-urls';
import { haveUrls, rewriteUrls } from './url-rewriting';

/** How many addresses of the gateway are remembered: clients name it as they like. */
const MAX_ADDRESSES = 100;

export type GatewayResponse = PreparedResponse<StoredAnswer>;

/** The upstream's responses as the gateway's clients get them: with the gateway's URLs, and prepared to be sent again. */
export class GatewayResponses {
  private readonly unpacked = new UnpackedBodies();
  private readonly prepared: PreparedResponses;
  private readonly presentation: Presentation<StoredAnswer>;
  private readonly edits = new LRUCache<string, BodyEdit>({ max: MAX_ADDRESSES });
  /** The service as the client knows it, for the links in header fields; undefined where it has named no host. */
  private readonly originFor: ClientOrigin;
  /** Paths outside of the prefix that stand for the whole API, without a slash at their ends. */
  private readonly roots: readonly string[];
  /** Which members of JSON bodies have URLs that are turned into the gateway's; undefined for none. */
  private readonly urlMembers: RegExp | undefined;
  /** The current rate limits, in place of the stored response's; undefined to send those unchanged. */
  private readonly limits: LimitsNow | undefined;

  constructor(
    private readonly upstream: UpstreamContext,
    requests: CachedRequests,
  ) {
    const { definition, settings, parts, callers, limits: budget } = upstream;
    const { publicUrl, trustProxy } = parts.service;
    this.prepared = parts.prepared;
    this.originFor = publicUrl === undefined ? clientOrigin(trustProxy) : () => publicUrl;
    const aliases = Object.entries(definition.aliases?.(settings.routePrefix, settings) ?? {});
    this.roots = aliases.flatMap(([url, path]) => (url.endsWith('/*') && path === '' ? [url.slice(0, -2)] : []));
    this.urlMembers = settings.rewritesBodies ? definition.urlMembers : undefined;
    this.limits = budget && {
      names: new Set(budget.adapter.fieldNames),
      fieldsOf: (key, path) =>
        budget.fieldsOf({ credential: callers.credentialOf(requests.partitionOf(key)), method: 'GET', path }),
    };
    this.presentation = this.limits ? limitsNow(this.limits) : PRESENTATION;
  }

  /** The fields with the upstream's URLs turned into the gateway's, as the request names it. */
  rewritten(received: HeaderList, request: IncomingMessage, path: string): HeaderList {
    const { api, definition, callers, cors } = this.upstream;
    const fields = cors.allowsAny ? received : withoutCors(received);
    const added = Object.entries(this.expectedOf(request, path)?.fields ?? {});
    const own = added.length === 0 ? fields : [...fields, ...added];
    if (!haveUrls(fields)) return own;
    return rewriteUrls(own, {
      ...{ upstreamBase: api.baseUrl, gatewayBase: this.baseFor(request), path },
      linkedAs: (linked) => definition.linkedAs?.(linked, path) ?? linked,
      keepsRelative: callers.partitions === undefined,
    });
  }

  /** How bodies are edited for a client that names the gateway as the request does; undefined for not at all. */
  editFor(request: IncomingMessage, path: string): BodyEdit | undefined {
    const { urlMembers } = this;
    const { api } = this.upstream;
    const members = this.expectedOf(request, path)?.members;
    if (!urlMembers && !members) return undefined;
    const base = this.baseFor(request);
    const name = `${members ? path : ''} ${base}`;
    const known = this.edits.get(name);
    if (known) return known;
    const beside = [...(api.beside ?? [])].flatMap(([below, url]): UrlReplacement[] =>
      below.endsWith('/*') && URL.canParse(url) ? [[url, `${base}${below.slice(0, -2)}`]] : [],
    );
    const edit = new BodyEdit({
      urls: urlMembers ? [[api.baseUrl, base], ...beside] : [],
      isUrl: (member) => urlMembers?.test(member) === true,
      added: members && JSON.stringify(members).slice(1, -1),
    });
    this.edits.set(name, edit);
    return edit;
  }

  /** The fields of a request that say which form of a response it gets: without dates where bodies are edited. */
  conditionsOf(asked: HeaderList): HeaderList {
    return this.urlMembers && asked.length > 0 ? withoutDates(asked) : asked;
  }

  /**
   * The body of a stored response without its coding.
   *
   * @throws UnreadableEntryError
   */
  bodyOf(entry: CacheEntry, key: string): Buffer | Promise<Buffer> {
    const known = this.prepared.get<StoredAnswer>(entry, 'identity');
    // With a base it may be edited for the clients of that address.
    return known && known.base === undefined ? known.body : orUnreadable(key, () => this.unpacked.of(entry));
  }

  /**
   * The prepared response of the entry for clients that name the gateway as the request does; kept for the next one of them.
   *
   * @param key of the URL, as `Cache-Status` names it
   * @throws UnreadableEntryError
   */
  prepare(
    entry: CacheEntry,
    key: string,
    request: IncomingMessage,
    path: string,
  ): GatewayResponse | Promise<GatewayResponse> {
    const known = this.prepared.get<StoredAnswer>(entry, 'identity');
    if (known && (known.base === undefined || known.base === this.baseFor(request))) return known;
    const made = this.prepareUncached(entry, key, request, path);
    const keep = (response: GatewayResponse): GatewayResponse => {
      this.prepared.keep(entry, 'identity', response);
      return response;
    };
    return made instanceof PreparedResponse ? keep(made) : made.then(keep);
  }

  /**
   * As `prepare`, for an entry that memory may not have.
   *
   * @param isFirst whether the response is new, so that its own rate limits are the newest
   * @throws UnreadableEntryError
   */
  prepareUncached(
    entry: CacheEntry,
    key: string,
    request: IncomingMessage,
    path: string,
    { isFirst = false }: { readonly isFirst?: boolean } = {},
  ): GatewayResponse | Promise<GatewayResponse> {
    const { limits } = this;
    const edit = this.editFor(request, path);
    const make = (body: Buffer): GatewayResponse => {
      const showsLimits = limits !== undefined && !isFirst;
      const fields = entry.headers.filter(
        ([name]) => name !== 'content-length' && !(showsLimits && limits.names.has(name)),
      );
      const isByAddress = edit !== undefined || haveUrls(fields) || this.expected(path) !== undefined;
      const base = isByAddress ? this.baseFor(request) : undefined;
      const rewritten = this.rewritten(fields, request, path);
      const stored = edit ? edit.fields(entry.status, rewritten) : rewritten;
      const presentation = showsLimits ? this.presentation : PRESENTATION;
      return new PreparedResponse(entry, body, { presentation, key, path, stored, base });
    };
    return orUnreadable(key, () => {
      const body = this.bodyFor(entry, edit);
      return Buffer.isBuffer(body) ? make(body) : body.then(make);
    });
  }

  private bodyFor(entry: CacheEntry, edit: BodyEdit | undefined): Buffer | Promise<Buffer> {
    const body = this.unpacked.of(entry);
    if (!edit?.edits(entry.status, entry.headers)) return body;
    const edited = (bytes: Buffer): Buffer | Promise<Buffer> =>
      this.unpacked.made(`${entry.id} ${edit.suffix}`, () => edit.whole(bytes, entry.headers));
    return Buffer.isBuffer(body) ? edited(body) : body.then(edited);
  }

  /**
   * The address by which the client knows the API, without a slash at its end. A client of HTTP/1.0 may name no host: then a path, which is a
   * reference too.
   */
  private baseFor(request: IncomingMessage): string {
    return `${this.originFor(request) ?? ''}${this.rootOf(request) ?? this.upstream.settings.routePrefix}`;
  }

  /** The root that the client came by; undefined for the prefix. */
  private rootOf({ url = '/' }: IncomingMessage): string | undefined {
    const { roots } = this;
    for (const root of roots) if (url.startsWith(root) && /^(?:[/?]|$)/.test(url.slice(root.length))) return root;
    return url.startsWith(this.upstream.settings.routePrefix) ? undefined : roots[0];
  }

  private expectedOf(request: IncomingMessage, path: string): Expected | undefined {
    return this.roots.length > 0 && this.rootOf(request) !== undefined ? this.expected(path) : undefined;
  }

  private expected(path: string): Expected | undefined {
    const { definition, settings } = this.upstream;
    return definition.expected?.(path, settings);
  }
}
