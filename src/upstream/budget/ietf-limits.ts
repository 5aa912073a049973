import { parseDictionary, parseList } from 'structured-headers';
import type { LimitReading } from './credential-budget';
import type { FieldLimits } from './limit-adapters';
import { clamped, DAY_MS, LIMIT_NAME, MAX_DELTA_SECONDS, refusalOf, type OwnMembers } from './limit-refusal';
import type { RateLimitAdapter } from './rate-limit-adapter';

const MAX_LIMITS = 8;

/**
 * The fields `RateLimit` and `RateLimit-Policy` (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/): one item for each
 * limit, `"burst";r=5;t=10`, with its quota in the policy, `"burst";q=50;w=60`; of drafts before the eighth one limit, `limit=50, remaining=5, reset=10`.
 * All paths count against the limits that the newest answer names; an API with other limits for some paths needs a `shapeOf`.
 */
export function ietfLimits(own: OwnMembers & Pick<FieldLimits, 'isSliding' | 'maxWaitMs'> = {}): RateLimitAdapter {
  const { isSliding, maxWaitMs = DAY_MS, ...members } = own;
  return {
    shapeOf: () => '',
    ...members,
    read: (assumed, answer, now) => {
      const quotas = new Map(itemsOf(answer.field('ratelimit-policy')).map(({ name, numbers }) => [name, numbers]));
      const announced = answer.field('ratelimit');
      const items = [...itemsOf(announced), ...olderItemsOf(announced, assumed)];
      const limits = items.flatMap(({ name, numbers }): LimitReading[] => {
        const policy = quotas.get(name);
        const remaining = numbers.get('r');
        const seconds = numbers.get('t') ?? policy?.get('w');
        if (remaining === undefined || seconds === undefined) return [];
        // Some APIs write an instant all the same.
        const waitMs = seconds * 1_000 - (seconds > MAX_DELTA_SECONDS ? now : 0);
        const resetAt = now + clamped(waitMs, maxWaitMs);
        const limit = { limit: policy?.get('q') ?? numbers.get('q') ?? remaining, remaining, resetAt };
        return [{ resource: name, limit, refusal: undefined, ...(isSliding === true && { isSliding }) }];
      });
      const spent = limits.filter(({ limit }) => limit?.remaining === 0);
      const resetAt = Math.max(...spent.map(({ limit }) => limit?.resetAt ?? 0));
      const refusal = refusalOf(answer, now, {
        ...{ refusals: [429], maxWaitMs, isSpent: spent.length > 0, resource: spent[0]?.resource ?? assumed },
        resetAt: spent.length > 0 ? resetAt : undefined,
      });
      if (!refusal) return limits;
      const { resource = assumed } = refusal;
      const refused = limits.find((one) => one.resource === resource);
      return refused
        ? limits.map((one) => (one === refused ? { ...one, refusal } : one))
        : [...limits, { resource, limit: undefined, refusal }];
    },
  };
}

interface NamedItem {
  readonly name: string;
  readonly numbers: ReadonlyMap<string, number>;
}

/** The items of a structured field (RFC 9651 §3.1). */
function itemsOf(text: string | undefined): readonly NamedItem[] {
  if (text === undefined) return [];
  try {
    return parseList(text)
      .slice(0, MAX_LIMITS)
      .flatMap(([item, parameters]): NamedItem[] => {
        const name = String(item);
        const numbers = new Map([...parameters].flatMap(([key, value]) => (isCount(value) ? [[key, value]] : [])));
        return LIMIT_NAME.test(name) ? [{ name, numbers }] : [];
      });
  } catch {
    return []; // not what the field is for: as if it were not there
  }
}

const NEWER_NAMES: ReadonlyMap<string, string> = new Map([
  ['limit', 'q'],
  ['remaining', 'r'],
  ['reset', 't'],
]);

/** `limit=50, remaining=5, reset=10` (draft-ietf-httpapi-ratelimit-headers-07 §3), which is no list, as the newer form is no such dictionary. */
function olderItemsOf(text: string | undefined, name: string): readonly NamedItem[] {
  if (text === undefined) return [];
  try {
    const numbers = new Map<string, number>();
    for (const [older, [value]] of parseDictionary(text)) {
      const newer = NEWER_NAMES.get(older);
      if (newer !== undefined && isCount(value)) numbers.set(newer, value);
    }
    return [{ name, numbers }];
  } catch {
    return [];
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
