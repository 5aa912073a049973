import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Clock } from '../../kernel/clock';
import { CacheEvents } from '../engine/cache-events';
import type { CacheEntry, HeaderList } from '../model/cache-entry';
import { CacheStore, type Found } from '../store/cache-store';
import type { HitPointer, StoredAnswer } from '../model/exchange';
import { requestPolicy } from '../law/request-policy';
import type { ResponseForm } from '../law/response-form';
import { textBytes } from '../store/memory/packed-fields';
import { inOnePiece } from '../store/memory/resident-entry';
import { forHitPointers } from '../store/memory/memory-shares';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from '../response-cache.options';
import type { FastPathGatePort } from './fast-path-gate.port';
import { HitPointers } from './hit-pointers';
import { PreparedResponse, type HeadContext } from './prepared-response';
import type { RequestFingerprint } from './request-fingerprint';
import { hasRoomFor, writeStored } from './response-writer';

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];

/** An entry point whose hits the fast path serves. `Target` is what it remembers with a fingerprint: the route, or the path. */
export interface EntryPoint<Target> {
  readonly context: HeadContext;
  /** The prefixes of its requests' URLs; undefined for any URL. */
  readonly prefixes?: readonly string[];
  /** The size of its own memory for finding a pointer, in bytes. */
  readonly bytes?: number;
  readonly upstreamOf: (target: Target) => string;
  /** Undefined for a request of another entry point, or one that takes the slow path. */
  readonly fingerprint: (request: RawRequest) => RequestFingerprint | undefined;
  /** Whether a hit only has to be sent. */
  readonly isUsable: (entry: CacheEntry, now: number, target: Target) => boolean;
  /** The response of the slow path, prepared. */
  readonly prepare: (
    entry: CacheEntry,
    key: string,
    request: RawRequest,
    target: Target,
  ) => PreparedResponse<StoredAnswer> | Promise<PreparedResponse<StoredAnswer>>;
  /** The part of the prepared response that the request gets. */
  readonly form: (request: RawRequest, asked: HeaderList, prepared: PreparedResponse<StoredAnswer>) => ResponseForm;
}

/** Without the names of the fields: the fingerprint has their values. */
interface Known extends Omit<HitPointer, 'selectedBy'> {
  readonly entryPoint: unknown;
  readonly target: unknown;
}

/** A request under way, and its start by the cache's clock. */
interface PendingRequest {
  readonly request: RawRequest;
  readonly response: RawResponse;
  readonly startedAt: number;
  readonly entryPoint: EntryPoint<unknown>;
  readonly fingerprint: RequestFingerprint;
  readonly known: Known;
}

/** The overhead of objects in one row, in addition to the texts. */
const ROW_BYTES = 300;
/** The number of routes that are logged as not using the fast path. */
const MAX_REPORTS = 1_000;

/**
 * Serves fresh hits before the web framework routes the request: from memory at once, from the shared store after one round trip.
 *
 * Its one invariant: the response equals the slow path's to the byte. It decides nothing: equal requests have taken the slow path
 * before, RFC 9111 decides whether their pointer still yields a fresh response, and the writer sends the response that the slow path
 * has prepared.
 */
@Injectable()
export class FastPath implements OnModuleInit {
  private readonly pointers: HitPointers;
  private readonly known: LRUCache<string, Known>;
  private readonly entryPoints: EntryPoint<unknown>[] = [];
  private readonly obstacles = new Set<string>();
  private readonly logger = new Logger('FastPath');
  private gate: FastPathGatePort | undefined;

  constructor(
    store: CacheStore,
    private readonly clock: Clock,
    private readonly events: CacheEvents,
    private readonly adapterHost: HttpAdapterHost,
    @Inject(RESPONSE_CACHE_OPTIONS) private readonly options: ResponseCacheModuleOptions,
  ) {
    this.pointers = new HitPointers(store, clock);
    this.known = new LRUCache<string, Known>({
      maxSize: forHitPointers(options.l1.maxBytes),
      // The keys are those of the entries.
      sizeCalculation: ({ target }, text) =>
        ROW_BYTES + textBytes(text) + (typeof target === 'string' ? textBytes(target) : 0),
    });
  }

  /** The size of the hit pointers and of what else finds them, in bytes. */
  get bytes(): number {
    return this.entryPoints.reduce((sum, { bytes = 0 }) => sum + bytes, this.known.calculatedSize);
  }

  /** The routes whose hits take the slow path, because other code must run for their requests. */
  get routesOff(): number {
    return this.obstacles.size;
  }

  onModuleInit(): void {
    const { fastPathGate, fastPathEnabled } = this.options;
    this.gate = fastPathGate?.(this.adapterHost.httpAdapter);
    if (!fastPathEnabled) return;
    this.gate?.serveWith((request, response) => this.serves(request, response));
    this.gate?.onChanged(() => this.known.clear());
  }

  get isOn(): boolean {
    return this.gate !== undefined && this.options.fastPathEnabled;
  }

  add<Target>(entryPoint: EntryPoint<Target>): void {
    // Those with prefixes first: they recognise the requests of others at once.
    if (entryPoint.prefixes) this.entryPoints.unshift(entryPoint as EntryPoint<unknown>);
    else this.entryPoints.push(entryPoint as EntryPoint<unknown>);
  }

  /** Remembers where a request found its hit, if only the cache contributes to its response. */
  remember<Target>(entryPoint: EntryPoint<Target>, request: FastifyRequest, pointer: HitPointer, target: Target): void {
    if (!this.isOn || this.isOff(request)) return;
    const fingerprint = entryPoint.fingerprint(request.raw);
    const { key, indexId, variantKeys, freshUntil } = pointer;
    if (fingerprint)
      this.known.set(inOnePiece(fingerprint.text), { entryPoint, target, key, indexId, variantKeys, freshUntil });
  }

  /** Whether the slow path may write a response without the web framework. */
  mayWrite(request: FastifyRequest): boolean {
    return this.gate !== undefined && this.gate.sendingObstacle(request) === undefined;
  }

  /** Whether requests like this one take the slow path; logs the reason once for each route. */
  isOff(request: FastifyRequest): boolean {
    const obstacle = this.gate?.obstacle(request);
    if (obstacle !== undefined) this.reportOff(request, obstacle);
    return obstacle !== undefined;
  }

  reportOff({ routeOptions: { method, url = '/' } }: FastifyRequest, obstacle: string): void {
    const route = `${[method].flat().includes('GET') ? 'GET' : String(method)} ${url}`;
    if (this.obstacles.has(route) || this.obstacles.size >= MAX_REPORTS) return;
    this.obstacles.add(route);
    this.logger.log(`Hits of ${route} do not use the fast path: ${obstacle} must run for them.`);
  }

  /** Whether it has served the request, or will: then no other code may. */
  serves(request: RawRequest, response: RawResponse): boolean | Promise<boolean> {
    const { method, url = '' } = request;
    if (method !== 'GET' && method !== 'HEAD') return false;
    const startedAt = this.clock.now();
    for (const entryPoint of this.entryPoints) {
      if (entryPoint.prefixes && !hasOneOf(entryPoint.prefixes, url)) continue;
      const fingerprint = entryPoint.fingerprint(request);
      const known = fingerprint && this.known.get(fingerprint.text);
      // A gateway at `/` has fingerprints for the URLs of the others as well.
      if (fingerprint && known?.entryPoint === entryPoint)
        return this.servesKnown({ request, response, startedAt, entryPoint, fingerprint, known });
    }
    return false;
  }

  private servesKnown(pending: PendingRequest): boolean | Promise<boolean> {
    const { known, startedAt } = pending;
    const policy = requestPolicy(pending.fingerprint.asked);
    if (policy.isNoCache) return false;
    const hit = this.pointers.peek(known, policy, startedAt);
    if (hit === 'slow-path') return false;
    if (hit) return this.serveHit(pending, hit, startedAt);
    return this.pointers.mayBeFresh(known, startedAt) && this.findHit(pending);
  }

  private findHit(pending: PendingRequest): Promise<boolean> {
    const { fingerprint, known } = pending;
    return this.pointers.find(known).then((entries) => {
      const hit = this.pointers.hitIn(entries, known, requestPolicy(fingerprint.asked));
      if (hit === 'slow-path') return false;
      if (hit) return this.serveHit(pending, hit, this.clock.now());
      this.known.delete(fingerprint.text); // so that the next request skips the look-up
      return false;
    });
  }

  /** @param now when the entry was read */
  private serveHit(pending: PendingRequest, found: Found, now: number): boolean | Promise<boolean> {
    const { entryPoint, known, request } = pending;
    if (!entryPoint.isUsable(found.entry, now, known.target)) return false;
    const prepared = entryPoint.prepare(found.entry, known.key, request, known.target);
    if (prepared instanceof PreparedResponse) return this.send(pending, found, now, prepared);
    return prepared.then((response) => this.send(pending, found, now, response));
  }

  private send(
    { request, response, startedAt, entryPoint, fingerprint, known }: PendingRequest,
    { entry, tier }: Found,
    now: number,
    prepared: PreparedResponse<StoredAnswer>,
  ): boolean {
    const form = entryPoint.form(request, fingerprint.asked, prepared);
    if (!prepared.isWritable || !hasRoomFor({ prepared, form })) return false;
    const { context } = entryPoint;
    const upstream = entryPoint.upstreamOf(known.target);
    const answer: StoredAnswer = { kind: 'stored', entry, outcome: 'HIT', tier };
    const durationMs = this.clock.now() - startedAt;
    const id = this.options.requestId?.(request) ?? '';
    void writeStored({ request, response, id }, { prepared, answer, form, context, now, durationMs });
    const { key } = known;
    const { status } = entry;
    this.events.publish({ outcome: 'HIT', tier, upstream, key, status, durationMs, requestId: id });
    return true;
  }
}

function hasOneOf(prefixes: readonly string[], url: string): boolean {
  for (let at = 0; at < prefixes.length; at++) if (url.startsWith(prefixes[at] ?? '')) return true;
  return false;
}
