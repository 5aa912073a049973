/** The `Cache-Status` field (RFC 9211), read and put into words. */

export interface CacheStatus {
  readonly isHit: boolean;
  readonly forwarded: string | undefined;
  readonly forwardedStatus: number | undefined;
  readonly isStored: boolean;
  readonly isCollapsed: boolean;
  readonly ttlSeconds: number | undefined;
  readonly key: string | undefined;
  /** HIT, MISS, … */
  readonly outcome: string | undefined;
  /** l1, l2 or upstream. */
  readonly tier: string | undefined;
  /** The code of what failed. */
  readonly failure: string | undefined;
}

/** One parameter of the field, and what it means. */
export interface Meaning {
  readonly term: string;
  readonly words: string;
}

type Parameters = ReadonlyMap<string, string | number | true>;

const PARAMETER = /;\s*([a-z*][a-z0-9_\-.*]*)(?:=("(?:[^"\\]|\\.)*"|[^;,\s]*))?/gy;

/** The last member of the list: the cache nearest to the client (RFC 9211 §2). */
export function parseCacheStatus(text: string | undefined): CacheStatus | undefined {
  if (text === undefined) return undefined;
  const parameters = parametersOf(lastMember(text));
  const [, outcome, tier, failure] =
    /^([A-Z_]+)(?:\/([a-z0-9]+))?(?::(.+))?$/.exec(textIn(parameters, 'detail') ?? '') ?? [];
  return {
    isHit: parameters.has('hit'),
    forwarded: textIn(parameters, 'fwd'),
    forwardedStatus: numberIn(parameters, 'fwd-status'),
    isStored: parameters.has('stored'),
    isCollapsed: parameters.has('collapsed'),
    ttlSeconds: numberIn(parameters, 'ttl'),
    key: textIn(parameters, 'key'),
    ...{ outcome, tier, failure },
  };
}

/** Each parameter that is there, in its order of interest. */
export function explainCacheStatus(status: CacheStatus): Meaning[] {
  const { forwarded, forwardedStatus, ttlSeconds, key, outcome, tier, failure } = status;
  const meanings: (Meaning | false)[] = [
    status.isHit && { term: 'hit', words: 'The cache answered from what it had stored.' },
    forwarded !== undefined && { term: `fwd=${forwarded}`, words: FORWARDED[forwarded] ?? 'The API had to be asked.' },
    forwardedStatus !== undefined && {
      term: `fwd-status=${forwardedStatus}`,
      words:
        forwardedStatus === 304
          ? 'The API said that the stored answer is still right (304): no body was sent.'
          : `The API answered with status ${forwardedStatus}.`,
    },
    status.isCollapsed && {
      term: 'collapsed',
      words: 'Another request was already asking for the same; this one waited for its answer.',
    },
    status.isStored && { term: 'stored', words: 'The answer was stored for the next ones.' },
    ttlSeconds !== undefined && {
      term: `ttl=${ttlSeconds}`,
      words: ttlSeconds >= 0 ? `Fresh for another ${ttlSeconds} s.` : `Stale for ${-ttlSeconds} s.`,
    },
    key !== undefined && { term: `key="${key}"`, words: 'The cache key: API, caller and path.' },
    outcome !== undefined && {
      term: `detail=${outcome}${tier === undefined ? '' : `/${tier}`}${failure === undefined ? '' : `:${failure}`}`,
      words: [
        tier === undefined ? '' : `Came from ${tierName(tier)}.`,
        failure === undefined ? '' : `What failed: ${failure.replaceAll('-', ' ')}.`,
      ]
        .filter((part) => part !== '')
        .join(' '),
    },
  ];
  return meanings.filter((meaning) => meaning !== false);
}

export function tierName(tier: string | undefined): string {
  if (tier === 'l1') return 'memory (L1)';
  if (tier === 'l2') return 'Redis (L2)';
  return tier === 'upstream' ? 'the API' : 'the service';
}

const FORWARDED: Readonly<Record<string, string>> = {
  miss: 'Nothing was stored for it, so the API was asked.',
  'uri-miss': 'Nothing was stored under this path, so the API was asked.',
  'vary-miss': 'The path was stored, but not for these request header fields (Vary), so the API was asked.',
  stale: 'What was stored had expired, so the API was asked whether it still holds.',
  request: 'The request’s own Cache-Control wanted the API asked.',
  method: 'This method is never answered from a cache.',
  bypass: 'The cache was not to be used for this request.',
  partial: 'Only a part was stored, so the API was asked.',
};

/** Commas within quotes separate nothing. */
function lastMember(text: string): string {
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    if (isQuoted && text[at] === '\\') at += 1;
    else if (text[at] === '"') isQuoted = !isQuoted;
    else if (text[at] === ',' && !isQuoted) start = at + 1;
  }
  return text.slice(start).trim();
}

function parametersOf(member: string): Parameters {
  const parameters = new Map<string, string | number | true>();
  const [name] = /^[^;]*/.exec(member) ?? [''];
  PARAMETER.lastIndex = name.length;
  for (let match = PARAMETER.exec(member); match !== null; match = PARAMETER.exec(member)) {
    const [, key = '', value] = match;
    parameters.set(key, value === undefined ? true : bareItem(value));
  }
  return parameters;
}

function bareItem(text: string): string | number {
  if (text.startsWith('"')) return text.slice(1, -1).replaceAll(/\\(.)/g, '$1');
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

function textIn(parameters: Parameters, name: string): string | undefined {
  const value = parameters.get(name);
  return typeof value === 'string' ? value : undefined;
}

function numberIn(parameters: Parameters, name: string): number | undefined {
  const value = parameters.get(name);
  return typeof value === 'number' ? value : undefined;
}
