import { request } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';

type Fields = Record<string, string | string[]>;

/** One request, what the origin answers if it is asked, and what is to be seen. */
interface Step {
  readonly method?: string;
  readonly with?: Record<string, string>;
  readonly origin?: { readonly status?: number; readonly headers?: Fields; readonly body?: string } | 'disconnects';
  /** Whether the origin is asked. */
  readonly asks: boolean;
  /** Fields that the origin is asked with; undefined for one that must not be there. */
  readonly asksWith?: Record<string, string | undefined>;
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Record<string, string | undefined>;
}

const fresh = { 'cache-control': 'max-age=100' };
/** Stale on arrival, so that no test has to wait. */
const stale = { 'cache-control': 'max-age=100', age: '150' };
const first = (headers: Fields, more: Partial<Step> = {}): Step => ({
  origin: { headers },
  asks: true,
  ...more,
});
const again: Step = { asks: false };
const anew: Step = { asks: true };

const CASES: readonly [says: string, ...steps: Step[]][] = [
  // RFC 9111 §3
  ['stores what has a lifetime', first(fresh), again],
  ['stores nothing under no-store', first({ 'cache-control': 'no-store, max-age=100' }), anew],
  ['stores nothing private', first({ 'cache-control': 'private, max-age=100' }), anew],
  [
    'leaves a private="x" field out',
    first({ ...fresh, 'cache-control': 'max-age=100, private="x-mine"', 'x-mine': '1' }),
    { asks: false, headers: { 'x-mine': undefined } },
  ],
  [
    'stores an unknown status with a lifetime',
    { origin: { status: 499, headers: fresh }, asks: true, status: 499 },
    { asks: false, status: 499 },
  ],
  [
    'stores no unknown status under must-understand',
    { origin: { status: 499, headers: { 'cache-control': 'must-understand, max-age=100' } }, asks: true, status: 499 },
    { asks: true, status: 200 },
  ],
  [
    'stores under must-understand what no-store forbids others',
    first({ 'cache-control': 'must-understand, no-store, max-age=100' }),
    again,
  ],
  ['shares no answer to a credential', first(fresh, { with: { authorization: 'Bearer a' } }), anew],
  [
    'shares an answer to a credential that is public',
    first({ 'cache-control': 'public, max-age=100' }, { with: { authorization: 'Bearer a' } }),
    again,
  ],
  [
    'shares an answer to a credential with s-maxage',
    first({ 'cache-control': 's-maxage=100' }, { with: { authorization: 'Bearer a' } }),
    again,
  ],
  [
    'stores no part as if it were whole',
    {
      with: { range: 'bytes=0-1' },
      origin: { status: 206, headers: { ...fresh, 'content-range': 'bytes 0-1/5' }, body: 'he' },
      asks: true,
      status: 206,
    },
    { asks: true, status: 200 },
  ],
  // §4.2
  ['prefers s-maxage to max-age', first({ 'cache-control': 'max-age=1, s-maxage=100', age: '50' }), again],
  ['prefers max-age to Expires', first({ ...fresh, expires: '0' }), again],
  ['takes an Expires that is no date for the past', first({ expires: '0' }), anew],
  ['takes the first of two max-age', first({ 'cache-control': 'max-age=0, max-age=100' }), anew],
  ['counts the Age it was given', first(stale), anew],
  ['ignores an Age that is no number', first({ ...fresh, age: 'old' }), again],
  ['counts the first of two Ages', first({ ...fresh, age: ['0', '150'] }), again],
  ['counts the age that Date tells', first({ ...fresh, date: new Date(Date.now() - 150_000).toUTCString() }), anew],
  [
    'makes up a lifetime by Last-Modified',
    first({ 'last-modified': new Date(Date.now() - 864_000_000).toUTCString() }),
    again,
  ],
  [
    'makes up none for a status that allows none',
    {
      origin: { status: 403, headers: { 'last-modified': new Date(Date.now() - 864_000_000).toUTCString() } },
      asks: true,
      status: 403,
    },
    anew,
  ],
  // RFC 9213, and the Edge Architecture note
  ['prefers CDN-Cache-Control', first({ 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=100' }), again],
  [
    'ignores a CDN-Cache-Control that is no dictionary',
    first({ 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=100, &' }),
    anew,
  ],
  ['prefers Surrogate-Control', first({ 'cache-control': 'no-store', 'surrogate-control': 'max-age=100' }), again],
  [
    'announces itself to who writes Surrogate-Control, and obeys what means it',
    first(
      { 'cache-control': 'max-age=1', age: '50', 'surrogate-control': 'max-age=1, max-age=100;larder' },
      { asksWith: { 'surrogate-capability': 'larder="Surrogate/1.0"' } },
    ),
    again,
  ],
  [
    'leaves alone what is meant for another surrogate',
    first({ 'cache-control': 'max-age=1', age: '50', 'surrogate-control': 'max-age=100;other' }),
    anew,
  ],
  // §5.2.1
  ['asks for who says no-cache', first(fresh), { with: { 'cache-control': 'no-cache' }, asks: true }],
  ['asks for who says Pragma: no-cache and no more', first(fresh), { with: { pragma: 'no-cache' }, asks: true }],
  [
    'asks for who wants it younger',
    first({ ...fresh, age: '50' }),
    { with: { 'cache-control': 'max-age=40' }, asks: true },
  ],
  [
    'asks for who wants it fresh for longer',
    first({ ...fresh, age: '50' }),
    { with: { 'cache-control': 'min-fresh=60' }, asks: true },
  ],
  ['serves stale to who takes it stale', first(stale), { with: { 'cache-control': 'max-stale=100' }, asks: false }],
  ['serves no staler than that', first(stale), { with: { 'cache-control': 'max-stale=40' }, asks: true }],
  [
    'serves nothing stale over must-revalidate',
    first({ ...stale, 'cache-control': 'max-age=100, must-revalidate' }),
    { with: { 'cache-control': 'max-stale' }, asks: true },
  ],
  [
    'validates for a client that says max-age, also during stale-while-revalidate',
    first({ ...stale, 'cache-control': 'max-age=100, stale-while-revalidate=600', etag: '"a"' }),
    {
      with: { 'cache-control': 'max-age=300' },
      origin: { status: 304, headers: { ...fresh, etag: '"a"' } },
      asks: true,
      asksWith: { 'if-none-match': '"a"' },
      headers: { 'cache-control': fresh['cache-control'] },
    },
  ],
  [
    'asks nobody for who wants it from the store only',
    { with: { 'cache-control': 'only-if-cached' }, asks: false, status: 504 },
  ],
  // §4.1
  [
    'keeps what Vary tells apart',
    first({ ...fresh, vary: 'x-a' }, { with: { 'x-a': '1' } }),
    { with: { 'x-a': '2' }, asks: true, origin: { headers: { ...fresh, vary: 'x-a' }, body: 'two' } },
    { with: { 'x-a': '1' }, asks: false, body: 'hello' },
    { with: { 'x-a': '2' }, asks: false, body: 'two' },
  ],
  ['reuses nothing under Vary: *', first({ ...fresh, vary: '*' }), anew],
  // §4.3
  [
    'validates by what it was given',
    first({ ...stale, etag: '"a"', 'last-modified': 'Wed, 01 Jan 2020 00:00:00 GMT', 'x-a': '1' }),
    {
      origin: { status: 304, headers: { ...fresh, etag: '"a"', 'x-a': '2' } },
      asks: true,
      asksWith: { 'if-none-match': '"a"', 'if-modified-since': 'Wed, 01 Jan 2020 00:00:00 GMT' },
      body: 'hello',
      headers: { 'x-a': '2' },
    },
    { asks: false, body: 'hello', headers: { 'x-a': '2', etag: '"a"' } },
  ],
  [
    'answers who has it already',
    first({ ...fresh, etag: '"a"' }),
    { with: { 'if-none-match': '"b", W/"a"' }, asks: false, status: 304, body: '' },
  ],
  [
    'heeds If-Modified-Since only without If-None-Match',
    first({ ...fresh, etag: '"a"', 'last-modified': 'Wed, 01 Jan 2020 00:00:00 GMT' }),
    {
      with: { 'if-none-match': '"b"', 'if-modified-since': 'Thu, 02 Jan 2020 00:00:00 GMT' },
      asks: false,
      status: 200,
    },
  ],
  [
    'freshens by a HEAD',
    first({ ...stale, etag: '"a"' }),
    { method: 'HEAD', origin: { headers: { ...fresh, etag: '"a"' } }, asks: true },
    again,
  ],
  [
    'uses nothing that a HEAD contradicts',
    first({ ...stale, etag: '"a"' }),
    { method: 'HEAD', origin: { headers: { ...fresh, etag: '"b"' } }, asks: true },
    { asks: true, asksWith: { 'if-none-match': undefined } },
  ],
  [
    'is not freshened by a HEAD without a validator',
    first({ ...stale, 'content-length': '5' }),
    { method: 'HEAD', origin: { headers: { ...fresh, 'content-length': '5' } }, asks: true },
    { asks: true },
  ],
  // §4.4
  ['forgets what a write has changed', first(fresh), { method: 'M-SEARCH', asks: true }, anew],
  [
    'keeps what a write that failed has not',
    first(fresh),
    { method: 'POST', origin: { status: 500 }, asks: true, status: 500 },
    again,
  ],
  // RFC 5861
  [
    'serves stale where that is allowed and the origin fails',
    first({ ...stale, 'cache-control': 'max-age=100, stale-if-error=100' }),
    { origin: { status: 503 }, asks: true, status: 200, body: 'hello' },
  ],
  ['serves nothing stale where that is not', first(stale), { origin: { status: 503 }, asks: true, status: 503 }],
  // RFC 9111 §4.2.4
  ['serves a stale response while the origin is disconnected', first(stale), { origin: 'disconnects', asks: true }],
  ...['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=100'].map((directive): [string, ...Step[]] => [
    `serves no stale response with ${directive} then`,
    first({ ...stale, 'cache-control': `max-age=100, ${directive}` }),
    { origin: 'disconnects', asks: true, status: 502 },
  ]),
  [
    'serves no stale response then to a client that wants it validated',
    first(stale),
    { with: { 'cache-control': 'no-cache' }, origin: 'disconnects', asks: true, status: 502 },
  ],
];

describe('the strict profile, RFC 9111 and no more,', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;

  beforeAll(async () => {
    origin = await ScriptedOrigin.start();
    service = await ServiceProcess.start({ env: { GITHUB_API_URL: origin.url, GATEWAY_PROFILE: 'rfc' } });
  });
  afterAll(async () => {
    await service.stop();
    await origin.stop();
  });

  const take = async (path: string, step: Step): Promise<void> => {
    const {
      status = 200,
      headers = {},
      body = 'hello',
    } = (step.origin === 'disconnects' ? undefined : step.origin) ?? {};
    origin.answerBy((response) =>
      step.origin === 'disconnects'
        ? response.destroy()
        : response.writeHead(status, headers).end(status === 304 ? undefined : body),
    );
    const answer = await request(`${service.url}/github${path}`, {
      method: step.method ?? 'GET',
      headers: step.with ?? {},
    });
    // a request on a kept connection that the origin closes is tried again on a new one
    const asked = step.origin === 'disconnects' ? Math.min(1, origin.hits.length) : origin.hits.length;
    expect([asked, answer.status]).toEqual([step.asks ? 1 : 0, step.status ?? 200]);
    if (step.body !== undefined) expect(answer.body.toString()).toBe(step.body);
    for (const [name, value] of Object.entries(step.headers ?? {}))
      expect([name, answer.headers[name]]).toEqual([name, value]);
    for (const [name, value] of Object.entries(step.asksWith ?? {}))
      expect([name, origin.hits[0]?.headers[name]]).toEqual([name, value]);
  };

  it.each(CASES.map(([says, ...steps], at) => ({ says, steps, path: `/case-${at}` })))(
    '$says',
    async ({ steps, path }) => {
      for (const step of steps) await take(path, step);
    },
  );

  it('takes a 304 of something else for no validation, and asks for the whole (RFC 9111 §4.3.4)', async () => {
    await take('/other', first({ ...stale, etag: '"a"' }));
    origin.answerBy((response, { headers }) => {
      if (headers['if-none-match'] === undefined) response.writeHead(200, { ...fresh, etag: '"b"' }).end('another');
      else response.writeHead(304, { ...fresh, etag: '"b"' }).end();
    });
    const answers = [await request(`${service.url}/github/other`), await request(`${service.url}/github/other`)];
    for (const { headers, body } of answers) expect([headers.etag, body.toString()]).toEqual(['"b"', 'another']);
    expect(origin.hits).toHaveLength(2);
  });
});
