import {
  anyVerifier,
  defineUpstream,
  fieldLimits,
  mayMutate,
  plainSpelling,
  plainToken,
  standardWebhooks,
} from '../upstream';
import { effectOf, EVENTS } from './gitlab-events';
import { gitlabTags, synonymsOf, tagsOfAnswer, tagsOfWrite } from './gitlab-tags';

const GRAPHQL = '/graphql';

/** GitLab's REST API (https://docs.gitlab.com/api/rest/), on GitLab.com or an instance of one's own. */
export const gitlab = defineUpstream({
  name: 'gitlab',
  title: 'GitLab',
  isEnabled: false, // most teams have an instance of their own
  baseUrl: 'https://gitlab.com/api/v4',
  credentials: {
    headers: ['private-token', 'job-token', 'deploy-token', 'sudo'],
    query: ['private_token', 'job_token', 'access_token', 'token'],
    // A token is the same in the field and in the query.
    canonical: ({ name, value }) =>
      name === 'access_token'
        ? `bearer ${value}`
        : plainSpelling({ in: 'header', name: name.replace('_', '-'), value }),
    refused: ['feed_token', 'rss_token'],
    tokenForm: /\bgl(?:pat|ptt|dt|rt|rtr|cbt|oas|soat|agent|ft|imt|ffct)-[\w.-]{20}/,
  },
  // https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
  rateLimit: fieldLimits({
    fields: {
      ...{ limit: 'ratelimit-limit', remaining: 'ratelimit-remaining', reset: 'ratelimit-reset' },
      ...{ resource: 'ratelimit-name', used: 'ratelimit-observed' },
    },
    showsResetAs: 'epoch-seconds',
    hasEndpointLimits: true, // https://docs.gitlab.com/security/rate_limits/
    shapeOf: (path) => path.replace(/^(\/\w+)(?:\/[^/]*)?(\/repository\/\w+|\/\w+)?.*$/, '$1$2'), // `/projects/issues`
  }),
  // Every response is `max-age=0, private, must-revalidate`.
  sharesPrivate: true,
  staleDespiteMustRevalidate: true,
  rules: [
    { path: GRAPHQL, bypass: true },
    ...[
      'variables',
      'triggers',
      'secure_files',
      'pipeline_schedules',
      'pipelines/:pipeline/variables',
      'terraform/state',
    ]
      .flatMap((word) => [word, `${word}.json`])
      .flatMap((word) => [`/:kind/:name/${word}`, `/:kind/:name/${word}/*`])
      .map((path) => ({ path, bypass: true })), // responses with secrets in them are not stored; of a Terraform state the last is right alone
    { path: '/application/settings', bypass: true },
    ...['pipelines', 'pipelines/*', 'jobs', 'jobs/*'].map((word) => ({ path: `/projects/:project/${word}`, ttl: 5 })),
    { path: '/*', ttl: 60 },
  ],
  tags: gitlabTags,
  synonyms: synonymsOf,
  writes: {
    tags: tagsOfWrite,
    answerTags: (path, _method, body) =>
      path === GRAPHQL && !mayMutate(body) ? undefined : (answer) => tagsOfAnswer(path, answer),
  },
  webhook: {
    verifier: anyVerifier(standardWebhooks(), plainToken({ header: 'X-Gitlab-Token' })),
    ...{ event: 'X-Gitlab-Event', delivery: 'X-Gitlab-Event-UUID', events: EVENTS, effect: effectOf },
  },
  // Where clients look that know a host, with the gateway's prefix or without it.
  aliases: (prefix) => ({
    ...(prefix !== '/api/v4' && { '/api/v4/*': '' }),
    ...{ [`${prefix}/api/v4/*`]: '', [`${prefix}/api/graphql`]: GRAPHQL },
  }),
  beside: (baseUrl) => ({ [GRAPHQL]: new URL(baseUrl).pathname.replace(/\/v4$/, GRAPHQL) }),
  clientProblem: ({ status, title, detail, accept }) => ({
    ...(!/problem\+json/i.test(accept) && { contentType: 'application/json; charset=utf-8' }),
    members: { message: `${status} ${title} - ${detail}` },
  }),
  probe: { path: '/projects?per_page=1&simple=true' }, // which needs no token
  openApi: {
    paths: [{ path: '/projects/{project}', summary: 'A project, by its id or its path', names: { project: '278964' } }],
    ...{ anyPath: 'projects/278964', notFound: { message: '404 Project Not Found' }, webhookEvent: 'Push Hook' },
    webhookPayload: { object_kind: 'push', project: { id: 15, path_with_namespace: 'group/project' } },
  },
});
