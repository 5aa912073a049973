import { parseHttpDate } from '../../cache/law';
import { parsedJson } from '../../kernel/json';
import type { LimitReading, Refusal } from './credential-budget';
import { DAY_MS, LIMIT_NAME, MAX_DELTA_SECONDS, MIN_WAIT_MS, refusalOf, type OwnMembers } from './limit-refusal';
import { firstSegment, type LimitedAnswer, type RateLimitAdapter } from './rate-limit-adapter';

/*
 * The ways in which APIs announce their rate limits, as adapters for a definition's `rateLimit`.
 */

type Field = LimitedAnswer['field'];

/** Larger ones are milliseconds. */
const MAX_EPOCH_SECONDS = 100_000_000_000;
/** With a time zone: a date without one is ambiguous. */
const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** How an API writes the time of a limit's reset. */
export type ResetForm = 'seconds-from-now' | 'epoch-seconds' | 'epoch-milliseconds' | 'http-date' | 'iso-date';

const RESET_TEXTS: Readonly<Record<ResetForm, (resetAt: number, now: number) => string>> = {
  'seconds-from-now': (resetAt, now) => String(Math.max(0, Math.ceil((resetAt - now) / 1_000))),
  'epoch-seconds': (resetAt) => String(Math.ceil(resetAt / 1_000)),
  'epoch-milliseconds': (resetAt) => String(Math.ceil(resetAt)),
  'http-date': (resetAt) => new Date(Math.ceil(resetAt / 1_000) * 1_000).toUTCString(),
  'iso-date': (resetAt) => new Date(resetAt).toISOString(),
};

export interface FieldLimits extends OwnMembers {
  /** The names of the header fields, in any case. */
  readonly fields: {
    readonly limit: string;
    readonly remaining: string;
    /** Seconds from now, seconds or milliseconds since the epoch (told apart by their size), a date of HTTP or of ISO 8601. */
    readonly reset: string;
    /** Names the limit; absent where there is one alone. */
    readonly resource?: string;
    /** How much of it is used: for clients alone. */
    readonly used?: string;
  };
  /**
   * Refusals and responses from the cache have these fields with the limit as it is now, `reset` as the API writes it. By default a refusal has
   * none, and a response has its stored ones.
   */
  readonly showsResetAs?: ResetForm;
  /**
   * Whether single endpoints have limits besides: a refusal while the limit in the fields is not spent then holds back paths of the same shape
   * alone. By default it holds back every request of the credential.
   */
  readonly hasEndpointLimits?: boolean;
  /** Whether `reset` moves on with each request, so that the newest answer counts. By default a window ends at its reset. */
  readonly isSliding?: boolean;
  /** Statuses that may be refusals for the limit's sake: 429 always is, others if nothing remains or `Retry-After` is there. By default 429 alone. */
  readonly refusals?: readonly number[];
  /** Whether a body of such a status is a refusal, where the head does not say so. */
  readonly saysRefusal?: (text: string) => boolean;
  /** The longest wait and window, in milliseconds: a clock may be wrong. By default a day. */
  readonly maxWaitMs?: number;
}

/** Limits in header fields such as `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`, or with `X-` in front. */
export function fieldLimits({ fields: names, isSliding, refusals = [429], ...own }: FieldLimits): RateLimitAdapter {
  const { saysRefusal, maxWaitMs = DAY_MS, showsResetAs, hasEndpointLimits, ...members } = own;
  const fields = Object.fromEntries(
    Object.entries(names).map(([what, name]) => [what, name.toLowerCase()]),
  ) as unknown as FieldLimits['fields'];
  const refusal = (resource: string, answer: LimitedAnswer, now: number): Refusal | undefined => {
    const isSpent = answer.field(fields.remaining) === '0';
    const resetAt = isSpent ? instantOf(answer.field, fields.reset, now) : undefined;
    return refusalOf(answer, now, {
      ...{ refusals, isSpent, resetAt, maxWaitMs, resource },
      isRefusedByBody: saysRefusal !== undefined && Boolean(answer.text) && saysRefusal(answer.text ?? ''),
    });
  };
  return {
    ...(showsResetAs && { fieldsOf: shownIn(fields, RESET_TEXTS[showsResetAs]), fieldNames: Object.values(fields) }),
    ...(hasEndpointLimits === true && {
      resourceOf: (path) => ['default', endpointOf((members.shapeOf ?? firstSegment)(path))],
    }),
    ...members,
    bodyBytesOf: (answer) =>
      saysRefusal &&
      refusals.includes(answer.status) &&
      refusal('', { ...answer, text: undefined }, 0) === undefined &&
      /\bjson\b/.test(answer.field('content-type') ?? '')
        ? 4_096
        : 0,
    read: (assumed, answer, now) => {
      const named = fields.resource === undefined ? undefined : answer.field(fields.resource);
      const resource = named !== undefined && LIMIT_NAME.test(named) ? named : assumed;
      const limit = wholeOf(quotaOf(answer.field(fields.limit)));
      const remaining = wholeOf(answer.field(fields.remaining));
      const resetAt = instantOf(answer.field, fields.reset, now);
      const isKnown = limit !== undefined && remaining !== undefined && resetAt !== undefined;
      const reading: LimitReading = {
        resource,
        limit: isKnown ? { limit, remaining, resetAt: Math.min(resetAt, now + maxWaitMs + MIN_WAIT_MS) } : undefined,
        refusal: refusal(resource, answer, now),
        ...(isSliding === true && { isSliding }),
      };
      return hasEndpointLimits === true ? withEndpoint(reading, endpointOf(answer.shape ?? '')) : [reading];
    },
  };
}

function endpointOf(shape: string): string {
  return `endpoint ${shape}`;
}

/** A refusal that is not of the announced limit is of the endpoint's. */
function withEndpoint(reading: LimitReading, endpoint: string): readonly LimitReading[] {
  const { refusal } = reading;
  if (!refusal || refusal.resource !== undefined)
    return [reading, { resource: endpoint, limit: undefined, refusal: undefined }];
  const ofEndpoint = { resource: endpoint, limit: undefined, refusal: { ...refusal, resource: endpoint } };
  return [{ ...reading, refusal: undefined }, ofEndpoint];
}

function shownIn(fields: FieldLimits['fields'], textOf: (typeof RESET_TEXTS)[ResetForm]): RateLimitAdapter['fieldsOf'] {
  const { resource: named, used } = fields;
  return (resource, { limit, remaining, resetAt }, now) => ({
    ...(limit !== undefined && { [fields.limit]: String(limit) }),
    [fields.remaining]: String(remaining),
    [fields.reset]: textOf(resetAt, now),
    ...(limit !== undefined && used !== undefined && { [used]: String(Math.max(0, limit - remaining)) }),
    ...(named !== undefined && { [named]: resource }),
  });
}

/** Without announcements, refusals only: 429, with `Retry-After` or without. The default for a plain REST API. */
export function retryAfterLimits(own: OwnMembers & Pick<FieldLimits, 'refusals' | 'maxWaitMs'> = {}): RateLimitAdapter {
  const { refusals = [429], maxWaitMs = DAY_MS, ...members } = own;
  return {
    ...members,
    read: (resource, answer, now) => {
      const refusal = refusalOf(answer, now, { refusals, maxWaitMs, isSpent: false, resource });
      return refusal ? [{ resource, limit: undefined, refusal }] : [];
    },
  };
}

export interface BodyLimits extends OwnMembers {
  /**
   * The limits announced in a JSON body; called for bodies that are JSON, with the status of the response. A limit of `remaining: 0`
   * pauses until its `resetAt`.
   */
  readonly read: (json: unknown, answer: LimitedAnswer, now: number) => readonly LimitReading[];
  /** Larger bodies are not read. By default 1 MiB. */
  readonly maxBytes?: number;
}

/** Limits in the body of each answer, such as `quota_remaining` and `backoff`; a 429 with `Retry-After` counts, too. */
export function bodyLimits({ read, maxBytes = 1_048_576, ...members }: BodyLimits): RateLimitAdapter {
  const fallback = retryAfterLimits();
  return {
    ...members,
    bodyBytesOf: ({ field }) => (/\bjson\b/.test(field('content-type') ?? '') ? maxBytes : 0),
    read: (assumed, answer, now) => {
      const json = parsedJson(answer.text);
      const readings = json === undefined ? [] : read(json, answer, now);
      return readings.some(({ refusal }) => refusal) ? readings : [...readings, ...fallback.read(assumed, answer, now)];
    },
  };
}

/** An upstream without limits: 429 is an answer like any other. */
export const noLimits: RateLimitAdapter = { read: () => [], resourceOf: () => undefined };

/** The instant that a field names, by this machine's clock: the upstream's own, `Date`, may be another. Undefined for none, and for 0. */
function instantOf(field: Field, name: string, now: number): number | undefined {
  const text = field(name)?.trim() ?? '';
  const date = parseHttpDate(field('date')?.trim() ?? '', now);
  const clockOffsetMs = date === undefined ? 0 : now - date;
  if (!/^\d{1,15}(?:\.\d{1,9})?$/.test(text)) {
    const at = parseHttpDate(text, now) ?? (ISO_DATE.test(text) ? Date.parse(text) : NaN);
    return Number.isNaN(at) ? undefined : at + clockOffsetMs;
  }
  const count = Number(text);
  if (count === 0) return undefined;
  if (count > MAX_EPOCH_SECONDS) return count + clockOffsetMs;
  return count > MAX_DELTA_SECONDS ? count * 1_000 + clockOffsetMs : now + count * 1_000;
}

/** `100` of `100, 100;w=60`: early drafts of RateLimit-Limit have the policy behind the number. */
function quotaOf(text: string | undefined): string | undefined {
  return text?.split(/[,;]/, 1)[0]?.trim();
}

function wholeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
