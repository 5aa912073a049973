import { z } from 'zod';
import { kindOfProblem } from '../kernel/problem-table';
import { hmacSignature } from './webhooks/webhook-verifiers';
import { defineUpstream } from './define-upstream';
import type { UpstreamDefinition } from './upstream-definition';
import { declareUpstreamSettings, upstreamSettings } from './upstream-settings';

const plain = { name: 'npm', baseUrl: 'https://registry.example' };

const webhook = { verifier: hmacSignature({ header: 'X' }), event: 'X-Event', effect: () => undefined };

describe('a definition', () => {
  it('needs a name and a base URL alone, and is what it was given', () => {
    expect(defineUpstream(plain)).toBe(plain);
    expect(defineUpstream({ name: 'x', baseUrl: undefined })).toEqual({ name: 'x', baseUrl: undefined });
  });

  it.each<[string, object, string]>([
    ['name', { name: 'Npm!' }, "must be a word of lower-case letters, digits and hyphens. Example: name: 'acme'"],
    ['baseUrl', { baseUrl: 'registry.example' }, 'must be an http:// or https:// URL'],
    ['baseUrl', { baseUrl: 'https://user:pw@registry.example' }, 'without query, fragment or credentials'],
    ['routePrefix', { routePrefix: '/npm/' }, 'must be a path without a slash at its end'],
    ['settings', { settings: { flavour: z.string() } }, 'settings.flavour must have names in capital letters'],
    ['settings', { settings: { TOKEN: z.string() } }, 'settings.TOKEN has a name that every upstream has already'],
    ['settings', { settings: { FLAVOUR: 'full' } }, 'settings.FLAVOUR must be a zod schema'],
    ['headers', { headers: { accept: '*/*' } }, 'must be a function'],
    ['forwards', { forwards: ['a b'] }, 'must be a list of header field names'],
    [
      'credentials',
      { credentials: { query: ['access token'] } },
      'credentials.query must be a list of parameter names',
    ],
    ['credentials', { credentials: { canonical: 'x' } }, 'credentials.canonical must be a function'],
    ['rateLimit', { rateLimit: 'none' }, 'must be an adapter. Example: rateLimit: ietfLimits()'],
    ['maxConcurrency', { maxConcurrency: 0 }, 'must be a whole number from 1 on'],
    ['tags', { tags: ['a'] }, 'must be a function'],
    ['rules', { rules: [{ path: 'a' }] }, 'in rule 1, path: must be like'],
    [
      'webhook',
      { webhook: { verifier: hmacSignature({ header: 'X' }) } },
      'webhook.event must be a header field or a function',
    ],
    [
      'problems',
      { problems: { Nope: { status: 404, title: 'x' } } },
      'problems.Nope must have codes of words with hyphens',
    ],
    ['limits', { limits: { timeout: 5_000 } }, 'must be an object of numbers, of connectTimeoutMs, timeoutMs'],
    ['openApi', { openApi: { paths: [{ path: 'items' }] } }, 'openApi.paths.path must be a path such as /items/{id}'],
    ['webhook', { webhook: { ...webhook, event: 'X Event' } }, 'webhook.event must be a header field or a function'],
    ['webhook', { webhook: { ...webhook, delivery: 'X Id' } }, 'webhook.delivery must be a header field name'],
    ['rateLimits', { rateLimits: 1 }, 'rateLimits is no member'],
  ])('is refused in one sentence that names %s: %j', (member, wrong, problem) => {
    const define = () => defineUpstream({ ...plain, ...wrong });
    expect(define).toThrow(` is wrong: ${member}`);
    expect(define).toThrow(problem);
    expect(define).toThrow(/^The definition of the upstream "[^"]+" is wrong: [^\n]+ Example: [^\n]+$/);
  });

  it('without a base URL at all is refused', () => {
    expect(() => defineUpstream({ name: 'npm' } as UpstreamDefinition)).toThrow(
      'baseUrl must be an http:// or https:// URL',
    );
  });

  it('has its own profile, forwarded fields and limits, whatever another has', () => {
    const [one, other] = ['one', 'other'].map((name) => defineUpstream({ ...plain, name }));
    for (const definition of [one!, other!]) declareUpstreamSettings(definition);
    Object.assign(process.env, { ONE_PROFILE: 'rfc', ONE_FORWARD_HEADERS: 'X-Tenant', OTHER_MAX_CONCURRENCY: '7' });
    expect(upstreamSettings(one!)).toMatchObject({ isStrict: true, forwardHeaders: ['X-Tenant'], maxConcurrency: 64 });
    expect(upstreamSettings(other!)).toMatchObject({ isStrict: false, forwardHeaders: [], maxConcurrency: 7 });
  });

  it('registers its error codes, and none of the service’s own', () => {
    defineUpstream({
      ...plain,
      problems: { 'package-not-found': { status: 404, title: 'No package', mayRetry: false } },
    });
    expect(kindOfProblem('package-not-found')).toMatchObject({ status: 404 });
    const taken = { 'upstream-error': { status: 418, title: 'Teapot', mayRetry: false } };
    expect(() => defineUpstream({ ...plain, problems: taken })).toThrow("is the service's own");
  });
});
