import type { HeaderList, HttpAnswer } from '../../cache';
import { FreshnessAdvice } from './freshness-advice';
import type { AppliedGatewayRule } from './gateway-rules';

describe('the advice to say how long responses are fresh', () => {
  let warnings: string[];
  let advice: FreshnessAdvice;
  const again = (headers: HeaderList = [], change: Partial<HttpAnswer> = {}): HttpAnswer =>
    ({
      kind: 'streamed',
      status: 200,
      headers,
      body: Buffer.of(),
      outcome: 'MISS',
      tier: 'upstream',
      forwarded: 'stale',
      ...change,
    }) as HttpAnswer;
  const rule = (policy: AppliedGatewayRule['policy']): AppliedGatewayRule => ({ policy, tags: [], isBypass: false });

  beforeEach(() => {
    warnings = [];
    advice = new FreshnessAdvice({ title: 'Acme', rulesFile: 'ACME_RULES_FILE' }, (message) => warnings.push(message));
  });

  it('is given once, for a stored response that had to be asked for again, and shows a rule', () => {
    advice.note(again([['etag', '"1"']]), rule({}), '/parcels/7');
    advice.note(again(), undefined, '/parcels/8');
    expect(warnings).toEqual([
      expect.stringMatching(/^Acme says nothing of how long \/parcels\/7 .*"defaultTtl": 60.* ACME_RULES_FILE\.$/),
    ]);
  });

  it.each<[string, HttpAnswer, AppliedGatewayRule['policy']]>([
    ['a response that states a lifetime', again([['cache-control', 'max-age=0']]), {}],
    ['a response with a date to guess from', again([['last-modified', 'Sat, 28 Nov 2026 09:00:00 GMT']]), {}],
    ['a rule with a lifetime', again(), { ttlMs: 1 }],
    ['a rule with a default', again(), { defaultTtlMs: 1 }],
    ['a first request', again([], { forwarded: 'uri-miss' }), {}],
    ['a hit', again([], { outcome: 'HIT' }), {}],
    ['an error', { ...again(), status: 404 } as HttpAnswer, {}],
  ])('is not given for %s', (_what, answer, policy) => {
    advice.note(answer, rule(policy), '/parcels/7');
    expect(warnings).toEqual([]);
  });
});
