import type { Readable } from 'node:stream';
import type { CacheStore } from '../../cache';
import { networkOf } from '../../kernel/network';
import { AppError } from '../../kernel/app-error';
import type { Clock } from '../../kernel/clock';
import { leftOf, type CredentialBudget, type Refusal, type ResourceLimit } from './credential-budget';
import { ANONYMOUS } from '../gateway/partition';
import { BudgetGate, FREE } from './budget-gate';
import { FairQueue, releaseAtEnd } from './fair-queue';
import { KnownCredentials } from './known-credentials';
import { LearnedResources } from './learned-resources';
import { RateLimitError } from './rate-limit.error';
import { BudgetUsers, clientOf, routeOf } from './budget-users';
import { completed, type CompleteAdapter, type LimitedAnswer } from './rate-limit-adapter';
import type { BudgetCounts, LimitedRequest, RateBudgetOptions, RateLimitedRequest } from './rate-limited-request';
import { SharedBudgets } from './shared-budgets';

/** How an answer is read. */
export interface AnswerReader<T> {
  /** A header field by its name in lower case. */
  readonly field: (answer: T, name: string) => string | undefined;
  /** Its body, where that is known. */
  readonly text?: (answer: T) => string | undefined;
  /** The rest of its body; absent where it is complete. */
  readonly rest?: (answer: T) => Readable;
}

export interface Spent<T> {
  readonly answer: T;
  /** Set if the answer has no content, but only refuses further requests. */
  readonly refusal: Refusal | undefined;
}

/** Requests that the upstream was not asked for. */
export interface Savings {
  /** Answered from the store. */
  stored: number;
  /** Answered by another request's load. */
  collapsed: number;
}

const MAX_WAITING = 10_000;

/**
 * The rate limits of an upstream as a budget: learned from each answer, shared across replicas, asked before each request.
 *
 * The invariant: while a limit is known to be spent, nothing that counts against it is sent. Replicas share what they know through the
 * store: what one has known for 20 ms all go by, and at once where little is left. Without the store each goes by the answers it sees.
 */
export class RateBudget {
  readonly counts: BudgetCounts = { sent: 0, notModified: 0, heldBack: 0 };
  readonly savings: Savings = { stored: 0, collapsed: 0 };
  readonly users = new BudgetUsers();
  /** The limits of each credential, as far as they are known. */
  readonly shared: SharedBudgets;
  private readonly resources: LearnedResources;
  readonly adapter: CompleteAdapter;
  private readonly queue: FairQueue;
  readonly credentials = new KnownCredentials();
  private readonly gate: BudgetGate;

  constructor(
    readonly options: RateBudgetOptions,
    store: CacheStore,
    private readonly clock: Clock,
  ) {
    this.shared = new SharedBudgets(`budget:${options.upstream}`, store, clock);
    this.adapter = completed(options.adapter);
    this.resources = new LearnedResources(this.adapter);
    const { maxConcurrency, deadlineMs } = options;
    this.gate = new BudgetGate(options, this.adapter, this.shared, clock, this.counts);
    this.queue = new FairQueue({ maxConcurrency, deadlineMs, maxWaiting: MAX_WAITING });
  }

  /**
   * Sends the request if and when the budget allows, and learns from its answer.
   *
   * @throws AppError `upstream-rate-limited` where nothing may be sent now, `deadline-exceeded` where its turn did not come
   */
  async schedule<T extends { readonly status: number }>(
    request: RateLimitedRequest,
    send: () => Promise<T>,
    reader: AnswerReader<T>,
  ): Promise<Spent<T>> {
    const { credential, method, path, signal } = request;
    const resources = this.resources.of(method, path);
    await this.shared.sync(credential, resources);
    this.gate.require(request, resources);
    const pace = this.gate.pacingOf(request, resources?.[0]);
    this.gate.requirePace(request, pace);
    const tenant = this.tenantOf(request);
    const maxAtOnce = tenant === credential ? Infinity : Math.ceil(this.options.maxConcurrency / 2);
    const limitOf = (): number => {
      if (resources === undefined) return maxAtOnce;
      const [budget, now] = [this.shared.of(credential), this.clock.now()];
      return Math.min(maxAtOnce, ...resources.map((resource) => leftOf(budget, resource, now)));
    };
    const permit = await this.queue.enter({
      tenant: `${tenant} ${resources?.join(' ') ?? ''}`,
      limitOf,
      pace,
      signal,
    });
    try {
      await this.shared.sync(credential); // again only if it has waited
      this.gate.require(request, resources);
      const spent = await this.send(request, resources?.[0], send, reader);
      releaseAtEnd(permit, reader.rest?.(spent.answer), this.options.bodyMs);
      return spent;
    } catch (error) {
      permit.release();
      throw error;
    }
  }

  /** The limit that a request counts against, as this process knows it now, in header fields; none where its window is over or not known. */
  fieldsOf(request: LimitedRequest): Readonly<Record<string, string>> {
    const [resource, limit] = this.limitOf(request) ?? [];
    return resource === undefined || limit === undefined ? {} : this.describe(resource, limit);
  }

  /** The limits of a credential as far as the replicas know them, by their names. */
  async limitsOf(credential: string): Promise<CredentialBudget['resources']> {
    await this.shared.sync(credential);
    return this.shared.of(credential).resources;
  }

  /** A limit in header fields. */
  describe(resource: string, limit: ResourceLimit): Readonly<Record<string, string>> {
    return this.adapter.fieldsOf(resource, limit, this.clock.now());
  }

  /** A refusal with its limit: a refusal from another replica has lost it on the way. */
  explained(error: AppError, request: LimitedRequest): RateLimitError {
    const [resource, limit] = this.limitOf(request) ?? [];
    const { pausedUntil } = this.shared.of(request.credential);
    const isSpent = limit !== undefined && limit.remaining <= 0 && pausedUntil <= limit.resetAt;
    const headers = resource === undefined || limit === undefined ? {} : this.describe(resource, limit);
    return new RateLimitError(error, isSpent ? 'primary' : 'secondary', headers);
  }

  /** How many requests of this process wait for an answer, and how many for their turn. */
  get load(): { readonly active: number; readonly waiting: number } {
    return this.queue.size;
  }

  /**
   * The tenant of a request. A credential that the upstream has not accepted yet may be made up: all of one address share one turn, and
   * half of the permits, so that thousands of them count as one caller.
   */
  private tenantOf({ credential, address }: RateLimitedRequest): string {
    const isKnown = address === undefined || credential === ANONYMOUS || this.credentials.hasAccepted(credential);
    return isKnown ? credential : `unknown ${networkOf(address)}`;
  }

  private countUser({ credential, address, userAgent, path }: RateLimitedRequest): void {
    const client = address === undefined ? 'service' : clientOf(userAgent);
    // Without the adapter's own shape the path may contain a client's name: it is omitted.
    const route = this.options.adapter.shapeOf === undefined ? 'other' : routeOf(this.adapter.shapeOf(path));
    this.users.add({ client, route, credential });
  }

  /** The limit that holds the request for the longest time, else the one with the smallest remainder. */
  private limitOf({ credential, method, path }: LimitedRequest): readonly [string, ResourceLimit] | undefined {
    const { resources: known } = this.shared.of(credential);
    const now = this.clock.now();
    let found: readonly [string, ResourceLimit] | undefined;
    for (const resource of this.resources.of(method, path) ?? []) {
      const limit = Object.hasOwn(known, resource) ? known[resource] : undefined;
      if (limit === undefined || limit.resetAt <= now) continue;
      if (found === undefined || isTighter(limit, found[1])) found = [resource, limit];
    }
    return found;
  }

  private async send<T extends { readonly status: number }>(
    request: RateLimitedRequest,
    resource: string | undefined,
    send: () => Promise<T>,
    { field, text }: AnswerReader<T>,
  ): Promise<Spent<T>> {
    this.counts.sent += 1;
    this.countUser(request);
    const sentAt = this.clock.now();
    const answer = await send();
    this.credentials.note(request.credential, answer.status, this.clock.now());
    if (answer.status === 304 && this.adapter.isNotModifiedFree && request.credential !== ANONYMOUS)
      this.counts.notModified += 1;
    const read = {
      ...{ status: answer.status, field: (name: string) => field(answer, name), text: text?.(answer) },
      shape: this.adapter.shapeOf(request.path),
    };
    return { answer, refusal: this.record(request, resource ?? FREE, sentAt, read) };
  }

  private record(
    { credential, method, path }: RateLimitedRequest,
    assumed: string,
    sentAt: number,
    answer: LimitedAnswer,
  ): Refusal | undefined {
    if (answer.status === 401) return undefined; // of a credential that is none
    const readings = this.adapter.read(assumed, answer, this.clock.now());
    this.resources.record(
      method,
      path,
      readings.map(({ resource }) => resource),
    );
    const announcing = readings.filter(({ limit, refusal }) => limit ?? refusal);
    if (announcing.length > 0) this.shared.record(credential, announcing, sentAt);
    return announcing.find(({ refusal }) => refusal)?.refusal;
  }
}

function isTighter(one: ResourceLimit, other: ResourceLimit): boolean {
  return one.remaining === other.remaining ? one.resetAt > other.resetAt : one.remaining < other.remaining;
}
