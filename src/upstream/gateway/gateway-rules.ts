import { z } from 'zod';
import type { CachePolicy } from '../../cache/law';
import { parseTarget } from './request-target';

const YEAR_SECONDS = 31_536_000;
const MAX_DEADLINE_SECONDS = 3_600;
const seconds = z.number().int().min(0).max(YEAR_SECONDS);
/** Segments of RFC 3986 §3.3, of which one that begins with a colon is a name, and `*` stands at the end alone. */
const PATTERN = /^(?:\/(?:(?!:)(?:[A-Za-z0-9._~!$&'()+,;=:@-]|%[0-9A-Fa-f]{2})+|:[A-Za-z][A-Za-z0-9_]*))*(?:\/\*)?$/;
const TAG = /^[A-Za-z0-9._:/-]*(?:\{[A-Za-z][A-Za-z0-9_]*\}[A-Za-z0-9._:/-]*)*$/;

const ruleSchema = z
  .strictObject({
    path: z
      .string()
      .regex(PATTERN, 'must be like /repos/:owner/:repo/releases or /search/*')
      .transform((path, context) => {
        try {
          return parseTarget(path).path; // written as the paths of requests are: `%2f` as `%2F`, `%41` as `A`
        } catch (error) {
          context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
          return z.NEVER;
        }
      }),
    ttl: seconds.optional(),
    defaultTtl: seconds.optional(),
    negativeTtl: seconds.optional(),
    swr: seconds.optional(),
    sie: seconds.optional(),
    deadline: z.number().min(0.001).max(MAX_DEADLINE_SECONDS).optional(),
    tags: z.array(z.string().min(1).max(200).regex(TAG, 'must be like release:{owner}/{repo}')).max(20).default([]),
    bypass: z.boolean().default(false),
  })
  .superRefine(({ path, tags }, context) => {
    const names = path.split('/').flatMap((segment) => (segment.startsWith(':') ? [segment.slice(1)] : []));
    for (const tag of tags)
      for (const [, name = ''] of tag.matchAll(/\{(\w+)\}/g))
        if (!names.includes(name))
          context.addIssue({ code: 'custom', path: ['tags'], message: `name {${name}}, which the path has not` });
  });
const rulesSchema = z.array(ruleSchema).max(1_000);

/** One line of the operator's table; durations in seconds, as people write them. */
export type GatewayRule = z.infer<typeof ruleSchema>;

/** The rule of a path, applied to its responses. */
export interface AppliedGatewayRule {
  readonly policy: CachePolicy;
  readonly tags: readonly string[];
  /** Neither looked up nor stored. */
  readonly isBypass: boolean;
}

interface Matcher {
  readonly rule: GatewayRule;
  readonly policy: CachePolicy;
  /** With a group for each name. */
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

/**
 * Reads the operator's table: a JSON array of rules; the first rule that matches a path counts.
 *
 * @throws Error in one line that names the rule and its fault
 */
export function parseGatewayRules(text: string): readonly GatewayRule[] {
  const parsed = rulesSchema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const [at, member] = issue?.path ?? [];
  const where = typeof at === 'number' ? `in rule ${at + 1}${member === undefined ? '' : `, ${String(member)}`}: ` : '';
  throw new Error(`${where}${issue?.message ?? 'is no list of rules'}`);
}

/** The operator's table, asked by path. Whether words and names in paths know case is the upstream's own. */
export class GatewayRules {
  private readonly matchers: readonly Matcher[];
  private readonly fold: (text: string) => string;

  /**
   * @param defaults what holds where a rule says nothing
   * @param foldsCase whether `/Users` and `/users` are the same path to the upstream
   */
  constructor(
    rules: readonly GatewayRule[],
    private readonly defaults: CachePolicy,
    foldsCase = false,
  ) {
    this.fold = foldsCase ? (text) => text.toLowerCase() : (text) => text;
    this.matchers = rules.map((rule) => {
      const segments = rule.path.split('/');
      const names = segments.flatMap((one) => (one.startsWith(':') ? [one.slice(1)] : []));
      const parts = segments.map((one) => {
        if (one === '*') return '.*';
        return one.startsWith(':') ? '([^/]+)' : this.fold(one).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      });
      return { rule, policy: policyOf(rule, defaults), pattern: new RegExp(`^${parts.join('/')}$`), names };
    });
  }

  for(path: string): AppliedGatewayRule {
    const folded = this.fold(path);
    for (const { rule, policy, pattern, names } of this.matchers) {
      const found = pattern.exec(folded);
      if (!found) continue;
      const values = new Map(names.map((name, at) => [name, found[at + 1] ?? '']));
      return { policy, isBypass: rule.bypass, tags: rule.tags.map((tag) => filled(tag, values)) };
    }
    return { policy: this.defaults, isBypass: false, tags: [] };
  }
}

function policyOf(
  { ttl, defaultTtl, negativeTtl, swr, sie, deadline }: GatewayRule,
  defaults: CachePolicy,
): CachePolicy {
  return {
    ...defaults,
    ...(ttl === undefined ? {} : { ttlMs: ttl * 1_000 }),
    ...(defaultTtl === undefined ? {} : { defaultTtlMs: defaultTtl * 1_000 }),
    ...(negativeTtl === undefined ? {} : { negativeTtlMs: negativeTtl * 1_000 }),
    ...(swr === undefined ? {} : { staleWhileRevalidateMs: swr * 1_000 }),
    ...(sie === undefined ? {} : { staleIfErrorMs: sie * 1_000 }),
    ...(deadline === undefined ? {} : { deadlineMs: deadline * 1_000 }),
  };
}

function filled(tag: string, values: ReadonlyMap<string, string>): string {
  return tag.replace(/\{(\w+)\}/g, (_whole, name: string) => values.get(name) ?? '');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`is no JSON (${error instanceof Error ? error.message : String(error)})`, { cause: error });
  }
}
