import { z } from 'zod';
import { httpUrl } from '../config/setting-kinds';
import { defineUpstream, hmacSignature } from '../upstream';
import { baseUrlsBeside, enterprisePaths, expectedOfHost, withoutUploads } from './enterprise-paths';
import { githubCredentials } from './github-credentials';
import { githubLimits } from './github-limits';
import { githubProblem } from './github-problem';
import { linkedByName } from './github-links';
import { githubTags } from './github-tags';
import { answerTagsOf } from './github-write-answers';
import { tokensEnded } from './github-write-bodies';
import { changesCaller, githubTagsOfWrite } from './github-writes';
import { githubPaths } from './github.paths';
import { effectOf, KNOWN_EVENTS } from './webhook-events';

/** GitHub's REST API (https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api). */
export const github = defineUpstream({
  name: 'github',
  title: 'GitHub',
  baseUrl: 'https://api.github.com',
  settings: {
    API_VERSION: z
      .string()
      .trim()
      .regex(/^\d{4}-\d{2}-\d{2}$/, 'must be a date such as 2022-11-28')
      .default('2022-11-28'),
    ENTERPRISE_PATHS: z.stringbool('must be true or false').default(true),
    ENTERPRISE_VERSION: z
      .string()
      .trim()
      .regex(/^\d+\.\d+\.\d+$/, 'must be a version such as 3.20.0')
      .default('3.20.0'),
    UPLOADS_URL: httpUrl.optional().meta({ example: 'https://uploads.github.com' }),
  },
  headers: ({ own }) => ({
    accept: 'application/vnd.github+json',
    'user-agent': 'larder',
    'x-github-api-version': own.API_VERSION,
  }),
  forwards: ['X-GitHub-Api-Version'],
  forwardsWithWrites: ['X-GitHub-OTP'],
  credentials: githubCredentials,
  rateLimit: githubLimits,
  pointsPerMinute: 900,
  foldsCase: true,
  tagPrefix: '', // its tags are older than other upstreams
  tags: githubTags,
  writes: {
    tags: (path, ...write) => githubTagsOfWrite(withoutUploads(path), ...write),
    answerTags: (path, ...write) => answerTagsOf(withoutUploads(path), ...write),
    tokensEnded,
    changesCaller,
  },
  webhook: {
    verifier: hmacSignature({ header: 'X-Hub-Signature-256', prefix: 'sha256=' }),
    event: 'X-GitHub-Event',
    delivery: 'X-GitHub-Delivery',
    events: KNOWN_EVENTS,
    effect: effectOf,
  },
  linkedAs: linkedByName,
  urlMembers: /^(?:url|href|[a-z_]+_url)$/,
  expected: (path, { own, baseUrl }) => expectedOfHost(path, baseUrl, own.ENTERPRISE_VERSION),
  aliases: (prefix, { own, isStrict }) => enterprisePaths(prefix, own.ENTERPRISE_PATHS && !isStrict),
  beside: (baseUrl, { own, isStrict }) => baseUrlsBeside(baseUrl, isStrict ? baseUrl : own.UPLOADS_URL),
  problems: {
    'account-invalid': { status: 400, title: 'Not an account name', mayRetry: false },
    'account-not-found': { status: 404, title: 'Account not found', mayRetry: false, isAnswer: true },
  },
  clientProblem: githubProblem,
  probe: { path: '/rate_limit', scopesField: 'x-oauth-scopes' }, // not counted against the limit
  openApi: githubPaths,
});
