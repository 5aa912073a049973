/** What a response's header fields mean for the cache, in a sentence each. */

const MEANINGS: Readonly<Record<string, string>> = {
  'cache-status': 'What this cache did with the request (RFC 9211).',
  age: 'Seconds since the API gave this answer or confirmed it.',
  etag: 'Names this version: sent back in If-None-Match, it gets a 304 while the version holds.',
  'last-modified': 'When the resource last changed; a weaker validator than ETag.',
  vary: 'The request header fields that select another stored variant.',
  date: 'When the API sent the answer.',
  expires: 'Until when the answer is fresh, where Cache-Control does not say it.',
  via: 'The intermediaries that the answer came through.',
  'x-cache': 'HIT or MISS, as @nestjs/cache-manager writes it.',
  'x-response-time': 'Milliseconds that the request spent in the service.',
  'x-request-id': 'Finds this request in the service’s log.',
  'content-encoding': 'How the body is compressed; each form has its own ETag.',
  'content-type': 'What kind of body it is.',
  'content-length': 'Bytes of the body as sent.',
  link: 'The pages next to this one; they lead through this cache again.',
  location: 'Where to go instead; leads through this cache again.',
  'retry-after': 'Seconds until a retry may help.',
  'x-ratelimit-limit': 'Calls per window that the API allows.',
  'x-ratelimit-remaining': 'Calls left when the API was last asked. A hit spends none.',
  'x-ratelimit-used': 'Calls spent when the API was last asked.',
  'x-ratelimit-reset': 'When the window resets, in Unix seconds.',
  'x-ratelimit-resource': 'Which of the API’s limits the call counts against.',
};

const DIRECTIVES: Readonly<Record<string, (argument: string) => string>> = {
  public: () => 'any cache may store it',
  private: () => 'only for this caller: stored apart from everyone else’s',
  'max-age': (seconds) => `fresh for ${seconds} s`,
  's-maxage': (seconds) => `fresh for ${seconds} s in a shared cache such as this one`,
  'no-store': () => 'must not be stored',
  'no-cache': () => 'stored, but checked with the API before each use',
  'must-revalidate': () => 'once stale, not used without asking the API',
  'stale-while-revalidate': (seconds) => `${seconds} s longer while it is refreshed in the background`,
  'stale-if-error': (seconds) => `${seconds} s longer if the API fails`,
  immutable: () => 'does not change while fresh',
};

export function meaningOf(name: string, value: string): string | undefined {
  return name === 'cache-control' ? cacheControlInWords(value) : MEANINGS[name];
}

function cacheControlInWords(value: string): string {
  const known = value
    .split(',')
    .map((part) => part.trim().split('='))
    .map(([name = '', argument = '']) => DIRECTIVES[name.toLowerCase()]?.(argument.replaceAll('"', '')))
    .filter((words) => words !== undefined);
  if (known.length === 0) return 'How long and by whom the answer may be stored.';
  const words = known.join('; ');
  return `${words[0]?.toUpperCase() ?? ''}${words.slice(1)}.`;
}
