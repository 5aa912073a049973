import { Inject, Injectable, Logger } from '@nestjs/common';
import type { AppError } from '../../kernel/app-error';
import { Clock } from '../../kernel/clock';
import type { CacheEntry } from '../model/cache-entry';
import { CacheInvalidator } from '../engine/cache-invalidator';
import { toCacheKey } from '../model/cache-key';
import { toCachePolicy, type FreshnessPolicy } from '../law/cache-rule';
import { CacheStore, type Lease } from '../store/cache-store';
import { applyPolicy, type CachePolicy } from '../law/cache-policy';
import { responsePolicy } from '../law/response-policy';
import type { HttpCacheRequest, Origin, StoredAnswer } from '../model/exchange';
import { HttpCache } from '../engine/http-cache';
import { compressed, httpEntry } from '../engine/http-entries';
import { UnkeptFailure } from '../engine/load-failure';
import { Loader } from '../engine/loader';
import type { CacheOutcome } from '../model/cache-outcome';
import { entityTag } from '../law/representation';
import { loadTimedOut, within } from '../../kernel/within';
import { fromLoadError, statusOf } from './thrown-error';
import { NestedLoads } from './nested-loads';
import { RESPONSE_CACHE_OPTIONS, type ResponseCacheModuleOptions } from '../response-cache.options';
import { storedForm, storedValue, whyNotStorable, type StoredForm } from './stored-value';
import { removeUnreadable } from '../engine/unreadable-entry.error';

/** The key and the times of a value. Durations in milliseconds; absent members come from the configuration. */
export interface ValueRule extends Partial<FreshnessPolicy> {
  /**
   * The first word of the default key and of the tag `upstream:…`.
   *
   * @default `app`
   */
  readonly upstream?: string;
  /** Tags to invalidate by. */
  readonly tags?: readonly string[];
  /**
   * How long a caller waits for a load, which goes on and is stored.
   *
   * @default `deadlineMs` of the module
   */
  readonly deadlineMs?: number;
}

/** A value, how it was found, and the instant until which it is fresh; undefined of one that is not stored. */
export interface CachedValue<T> {
  readonly outcome: CacheOutcome;
  readonly value: T;
  readonly freshUntil: number | undefined;
}

type Own<T> = { readonly value: T } | { readonly error: unknown };

/** Errors for a resource that is gone or access that is withdrawn: no earlier entry may be served from then on. */
const WITHDRAWN: ReadonlySet<number> = new Set([401, 403, 404, 410]);
const NO_BODY = Buffer.alloc(0);
/** With a tag, for an entry without one and without fields is an index. */
const NOTHING = { headers: [], body: NO_BODY, etag: entityTag(NO_BODY) } as const;

/**
 * Values of code (methods, `CACHE_MANAGER`) through the same engine as routes: one load across replicas, stale while revalidate, and
 * nothing invalidated comes back.
 *
 * Its one invariant: a caller gets the value as it was returned, or the error as it was thrown. Errors are never stored; a value that
 * JSON would change goes to its own caller alone. A load that would wait for itself (`NestedLoads`) calls the method instead.
 */
@Injectable()
export class ValueCache {
  private readonly logger = new Logger('Cache');
  private readonly nested = new NestedLoads();
  /** Keys whose values were warned of. */
  private readonly warned = new Set<string>();

  constructor(
    private readonly cache: HttpCache,
    private readonly store: CacheStore,
    private readonly loader: Loader,
    private readonly clock: Clock,
    private readonly invalidator: CacheInvalidator,
    @Inject(RESPONSE_CACHE_OPTIONS)
    private readonly options: Pick<ResponseCacheModuleOptions, 'policy' | 'loadTimeoutMs'>,
  ) {}

  /**
   * The stored value, or the value of one load for concurrent callers.
   *
   * @param timesOf the times of a loaded value, over the rule's
   */
  async wrap<T>(
    name: string,
    rule: ValueRule,
    load: () => T | Promise<T>,
    timesOf?: (value: T) => Partial<FreshnessPolicy>,
  ): Promise<CachedValue<T>> {
    const key = toCacheKey(name);
    const outer = this.nested.keys();
    if (this.nested.waitsForAny(key, outer)) return { value: await load(), outcome: 'BYPASS', freshUntil: undefined };
    let policy = this.policyFor(rule);
    let own: Own<T> | undefined;
    const request: HttpCacheRequest = {
      key,
      upstream: rule.upstream ?? 'app',
      tags: rule.tags ?? [],
      ...{ method: 'GET', headers: [], hasDirectives: false, kind: 'shared', hasAuthorization: false },
      get policy(): CachePolicy {
        return policy;
      },
    };
    const origin: Origin = async () => {
      const requestedAt = this.clock.now();
      own = await this.result(() => this.nested.run(key, load));
      if (timesOf && 'value' in own) policy = this.policyFor({ ...rule, ...timesOf(own.value) });
      return { ...this.response(name, own), requestedAt, receivedAt: this.clock.now() };
    };
    const answering = this.answer(request, origin);
    const answer = await (outer.size > 0 ? this.nested.waiting(outer, key, answering) : answering);
    const isOwn = answer.outcome === 'MISS' || answer.outcome === 'BYPASS';
    const { entry, outcome } = answer;
    const freshUntil = answer.stored === false ? undefined : entry.freshUntil;
    if (own && isOwn) {
      if ('error' in own) throw own.error;
      return { value: own.value, outcome, freshUntil };
    }
    try {
      return { value: (await valueOf(request.key, entry)) as T, outcome, freshUntil };
    } catch (error) {
      await removeUnreadable(error, this.invalidator, this.logger);
      return { value: await load(), outcome: 'BYPASS', freshUntil: undefined };
    }
  }

  /**
   * Calls, and stores the value over what is there; where that would be unsafe, removes what is there instead.
   *
   *   1. A and B change the same thing; A has the key's lease, B has not
   *   2. whichever ends last, nothing is stored: B removes the key and so revokes A's lease, or removes what A has stored. Otherwise the
   *      older of the two values could be stored over the newer
   */
  async put<T>(name: string, rule: ValueRule, call: () => T | Promise<T>): Promise<T> {
    const key = toCacheKey(name);
    const { tags = [] } = rule;
    const done: { own?: Own<T>; isStored?: boolean } = {};
    const found = await this.store.find(key).catch(() => undefined);
    const callUnder = async (lease: Lease): Promise<void> => {
      done.own = await this.settled(() => this.nested.run(key, call));
      if ('error' in done.own) throw new UnkeptFailure(done.own.error, undefined);
      const form = done.own.value === undefined ? undefined : this.formOf(name, done.own.value);
      const entry = form && (await this.entryOf(rule, form));
      if (entry) done.isStored = await this.store.fill(lease, entry);
      else await this.store.release(lease);
    };
    const options = { waits: false, pausesAfterFailures: false };
    await this.loader.underLease({ key, tags }, found?.entry, callUnder, options).catch((error: unknown) => {
      // The call's own error is thrown below; without a lease it has not been called yet.
      if (!done.own) this.logger.warn(`${key} is not stored: ${(error as Error).message}`);
    });
    const own = done.own ?? (await this.settled(() => this.nested.run(key, call)));
    if (done.isStored !== true) await this.remove([{ kind: 'key', key }]);
    if ('error' in own) throw own.error;
    return own.value;
  }

  /** Removes what a call that is over has changed. Where the store cannot confirm it, it is logged: the call is done all the same. */
  async remove(
    targets: Parameters<CacheInvalidator['invalidate']>[0],
    mode: Parameters<CacheInvalidator['invalidate']>[1] = 'purge',
  ): Promise<void> {
    try {
      await this.invalidator.invalidate(targets, mode);
    } catch (error) {
      this.logger.warn(
        `The entries that a method has invalidated are not removed on every replica yet: ${(error as Error).message}`,
      );
    }
  }

  /** The entry of a value; undefined where the rule gives it no time. */
  async entryOf(rule: ValueRule, form: StoredForm): Promise<CacheEntry | undefined> {
    const now = this.clock.now();
    const etag = entityTag(form.body);
    const response = { status: 200, headers: form.headers, etag, requestedAt: now, receivedAt: now };
    const own = responsePolicy(response, 'shared', { hasAuthorization: false, isNoStore: false });
    const policy = { ...applyPolicy(own, 200, this.policyFor(rule)), jitter: 0 };
    if (policy.lifetimeMs <= 0) return undefined;
    const { upstream = 'app', tags = [] } = rule;
    return compressed(httpEntry(response, form.body, policy, { upstream, tags }, PLAIN));
  }

  private policyFor(rule: ValueRule): CachePolicy {
    return toCachePolicy(rule, this.options.policy);
  }

  private async answer(request: HttpCacheRequest, origin: Origin): Promise<StoredAnswer> {
    try {
      const answer = await this.cache.exchange(request, origin);
      if (answer.kind !== 'stored') throw new Error('A method gives whole values.');
      return answer;
    } catch (error) {
      throw fromLoadError(error);
    }
  }

  /** @throws UnkeptFailure for what a stale value may answer instead of; nothing of it is stored or left for other replicas */
  private async result<T>(load: () => T | Promise<T>): Promise<Own<T>> {
    const own = await this.settled(load);
    if (!('error' in own)) return own;
    const status = statusOf(own.error);
    if (status !== undefined && WITHDRAWN.has(status)) return own;
    throw new UnkeptFailure(own.error, status);
  }

  private async settled<T>(call: () => T | Promise<T>): Promise<Own<T>> {
    const { loadTimeoutMs } = this.options;
    try {
      const value = await within(Promise.resolve().then(call), loadTimeoutMs, (ms): AppError => loadTimedOut(ms));
      return { value };
    } catch (error) {
      return { error };
    }
  }

  private response<T>(name: string, own: Own<T>) {
    // A value that is not there is stored as what it is to HTTP, for the time that "not found" is kept.
    if ('error' in own) return { status: 404, ...NOTHING, isUncacheable: true };
    if (own.value === undefined) return { status: 404, ...NOTHING };
    const form = this.formOf(name, own.value);
    return form
      ? { status: 200, ...form, etag: entityTag(form.body) }
      : { status: 200, ...NOTHING, isUncacheable: true };
  }

  /** The form in which it is stored; undefined, and logged once for its name, where JSON would change it. */
  private formOf(name: string, value: unknown): StoredForm | undefined {
    const form = storedForm(value);
    if (form || this.warned.has(name) || this.warned.size >= MAX_WARNED) return form;
    this.warned.add(name);
    this.logger.warn(`The value of ${toCacheKey(name)} is not stored: ${whyNotStorable(value)}`);
    return undefined;
  }
}

const MAX_WARNED = 100;
/** An entry without an index, that is of no use once it is stale. */
const PLAIN = { retainForRevalidationMs: 0, indexMark: 0 };

function valueOf(key: string, entry: CacheEntry): unknown {
  return entry.status === 404 ? undefined : storedValue(key, entry);
}
