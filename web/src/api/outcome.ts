import type { Exchange } from './http';
import { field } from './http';
import { parseCacheStatus, tierName, type CacheStatus } from './cache-status';

/** The four looks of an answer; each has a colour and a shape of its own, so that no one depends on the colour. */
export type Look = 'hit' | 'miss' | 'stale' | 'error';

export interface Verdict {
  readonly look: Look;
  /** Two or three words. */
  readonly label: string;
  /** Why it was so, in one sentence. */
  readonly sentence: string;
}

const LOOKS: Readonly<Record<string, Look>> = {
  HIT: 'hit',
  HIT_STALE: 'stale',
  STALE_ON_ERROR: 'stale',
  REVALIDATED: 'miss',
  MISS: 'miss',
  COALESCED: 'miss',
  BYPASS: 'miss',
  ERROR: 'error',
};

export function lookOf(outcome: string): Look {
  return LOOKS[outcome] ?? 'miss';
}

/** What an operator reads in tables and legends. */
export const OUTCOME_WORDS: Readonly<Record<string, string>> = {
  HIT: 'Hit',
  HIT_STALE: 'Stale, being refreshed',
  REVALIDATED: 'Revalidated (304)',
  MISS: 'Miss',
  COALESCED: 'Waited for another',
  STALE_ON_ERROR: 'Stale, API failed',
  BYPASS: 'Bypass',
  ERROR: 'Error',
};

export function verdictOf(answer: Pick<Exchange, 'status' | 'headers' | 'sent'>): Verdict {
  const status = parseCacheStatus(field(answer.headers, 'cache-status'));
  if (!status) {
    const isError = answer.status >= 400;
    return {
      look: isError ? 'error' : 'miss',
      label: isError ? `Error ${answer.status}` : 'Not cached',
      sentence: isError
        ? 'The request failed before the cache had an answer.'
        : 'The answer says nothing about a cache, so none was used.',
    };
  }
  const outcome = status.outcome ?? (status.isHit ? 'HIT' : 'MISS');
  return wordsFor(outcome, status, answer);
}

function wordsFor(outcome: string, status: CacheStatus, answer: Pick<Exchange, 'headers' | 'status'>): Verdict {
  const age = ageWords(field(answer.headers, 'age'));
  switch (outcome) {
    case 'HIT':
      return {
        look: 'hit',
        label: 'From the cache',
        sentence: `A hit: ${tierName(status.tier)} had an answer${age} that is still fresh. The API was not asked.`,
      };
    case 'HIT_STALE':
      return {
        look: 'stale',
        label: 'From the cache, stale',
        sentence: `A stale hit: the answer${age} had expired, and was sent at once while one refresh runs in the background.`,
      };
    case 'STALE_ON_ERROR':
      return {
        look: 'stale',
        label: 'From the cache, the API failed',
        sentence: `The API ${failureWords(status.failure)}, so the stored answer${age} was sent instead of an error.`,
      };
    case 'REVALIDATED':
      return {
        look: 'miss',
        label: 'Checked with the API',
        sentence:
          'The API was asked whether the stored answer still holds, and said yes (304). No body was sent again.',
      };
    case 'COALESCED':
      return {
        look: 'miss',
        label: 'Waited for another request',
        sentence:
          'A miss that cost no call: another request was already asking the API, and this one shared its answer.',
      };
    case 'MISS':
      return {
        look: 'miss',
        label: 'From the API',
        sentence: `A miss: ${MISS_REASONS[status.forwarded ?? ''] ?? 'nothing was stored for it'}. ${storedWords(status, answer)}`,
      };
    case 'BYPASS':
      return {
        look: 'miss',
        label: 'Past the cache',
        sentence: 'The cache was not used for this request: its method, or a rule, forbids it.',
      };
    default:
      return {
        look: 'error',
        label: `Error ${answer.status}`,
        sentence: `There was no answer to give: the API ${failureWords(status.failure)}, and nothing was stored.`,
      };
  }
}

const MISS_REASONS: Readonly<Record<string, string>> = {
  'vary-miss': 'this path was stored, but for other request header fields',
  request: 'the request itself wanted the API asked',
  stale: 'what was stored had expired, and the API had a newer answer',
};

const FAILURES: Readonly<Record<string, string>> = {
  'upstream-unreachable': 'could not be reached',
  'upstream-timeout': 'was too slow',
  'deadline-exceeded': 'was too slow',
  'upstream-paused': 'is not being asked after a row of failures',
  'upstream-rate-limited': 'has no calls left to give',
  'upstream-error': 'answered with an error',
  'upstream-invalid': 'answered with nonsense',
};

function failureWords(code: string | undefined): string {
  return FAILURES[code ?? ''] ?? 'failed';
}

/** The head of a large answer is sent before its body has been read whole: it cannot say yet whether the answer is stored. */
function storedWords({ isStored }: CacheStatus, { headers, status }: Pick<Exchange, 'headers' | 'status'>): string {
  if (isStored) return 'The API was asked, and its answer is stored for the next request.';
  const isForbidden = status >= 400 || /(?:^|[\s,])no-store(?:$|[\s,;])/i.test(field(headers, 'cache-control') ?? '');
  return isForbidden
    ? 'The API was asked; its answer may not be stored.'
    : 'The API was asked; whether its answer is stored was not known yet when the answer began. Ask again to see.';
}

function ageWords(age: string | undefined): string {
  return age === undefined ? '' : `, ${age} s old,`;
}
