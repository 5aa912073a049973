import { defineUpstream } from '../upstream';
import { stackExchangeLimits } from './stackexchange-limits';
import { questionTags, stackExchangeTags } from './stackexchange-tags';

/** Stack Exchange's API (https://api.stackexchange.com/docs). */
export const stackExchange = defineUpstream({
  name: 'stackexchange',
  title: 'Stack Exchange',
  baseUrl: 'https://api.stackexchange.com/2.3',
  credentials: {
    query: ['key', 'access_token'],
    send: (value) => ({ in: 'query', name: 'key', value }),
    // `/access-tokens/{accessTokens}` and `/apps/{accessTokens}/de-authenticate` have tokens in the path itself.
    tokenForm: /^\/+(?:access-tokens|apps)\/./i,
  },
  rateLimit: stackExchangeLimits,
  maxConcurrency: 20, // "more than 30 requests a second" of one address are dropped
  sharesPrivate: true, // every response is `Cache-Control: private`
  // No response has a validator or a lifetime; https://api.stackexchange.com/docs/throttle: the same request not "more than once a minute".
  rules: [{ path: '/*', ttl: 60 }],
  tags: stackExchangeTags,
  writes: {
    tags: (path) => [...stackExchangeTags(path), 'lists'],
    // A write to an answer or a comment does not name its question, which shows it.
    answerTags: (path) => (path.startsWith('/questions/') ? undefined : questionTags),
  },
  problems: {
    'tag-invalid': { status: 400, title: 'Not a tag', mayRetry: false },
    'tag-not-found': { status: 404, title: 'Tag not found', mayRetry: false, isAnswer: true },
  },
  probe: { path: '/info?site=stackoverflow' },
  openApi: {
    paths: [
      {
        path: '/sites',
        summary: 'The sites of Stack Exchange',
        example: { items: [{ name: 'Stack Overflow', api_site_parameter: 'stackoverflow' }], has_more: true },
      },
    ],
    anyPath: 'sites',
    anyExample: { items: [{ name: 'Stack Overflow' }], has_more: true, quota_max: 300, quota_remaining: 299 },
    notFound: { error_id: 404, error_name: 'no_method', error_message: 'no method found with this name' },
  },
});
