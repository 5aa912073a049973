import type { OutgoingHttpHeaders } from 'node:http';
import { Hostilities, newPath, reflect, reflectionOf } from './hostile';

const { stringify } = JSON;

describe.each(['*', 'X-Mine,X-Forwarded-Host,User-Agent,Via'])(
  'no field that is forwarded changes what others get, with GITHUB_FORWARD_HEADERS=%s:',
  (setting) => {
    let attacked: Hostilities;
    let path: string;

    beforeAll(async () => {
      attacked = await Hostilities.start('', { GITHUB_FORWARD_HEADERS: setting });
    });
    beforeEach(() => {
      path = newPath();
      attacked.origin.answerBy(reflect);
    });
    afterAll(async () => {
      await attacked.stop();
    });

    it.each<[string, OutgoingHttpHeaders | readonly string[]]>([
      ['X-Mine', { 'x-mine': 'evil' }],
      ['a field that nobody knows', { 'x-unheard-of': 'evil' }],
      ['the name of an object', ['host', 'larder', ...['constructor', 'evil'], ...['__proto__', 'evil']]],
      ['a field twice', { 'x-mine': ['a', 'evil'] }],
      ['an empty field', ['host', 'larder', 'x-evil', '']],
      ['X-Forwarded-Host and its kin', { 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'evil', 'x-host': 'evil' }],
      ['Forwarded', { forwarded: 'host=evil' }],
      ['X-Original-URL', { 'x-original-url': '/evil', 'x-rewrite-url': '/evil' }],
      [
        'X-HTTP-Method-Override',
        { 'x-http-method-override': 'EVIL', 'x-method-override': 'EVIL', 'x-http-method': 'EVIL' },
      ],
      ['User-Agent', { 'user-agent': 'evil' }],
      ['Via', { via: '1.1 evil' }],
      ['many hops of Via', { via: '1.0 evil, 1.1 evil' }],
      ['Cookie', { cookie: 'session=evil' }],
      ['Content-Type', { 'content-type': 'evil/evil' }],
      ['TE', { te: 'evil' }],
      ['Max-Forwards', { 'max-forwards': '12345678' }],
      ['a trace', { traceparent: '00-evil', 'x-request-id': 'evil' }],
      ['Accept', { accept: 'evil/evil' }],
      ['Range', { range: 'bytes=evil' }],
      ['If-None-Match', { 'if-none-match': '"evil"' }],
    ])('%s', async (_name, headers) => {
      await attacked.through(path, { headers });
      const plain = await attacked.through(path);
      const seen = stringify(reflectionOf(plain));
      expect(plain.status).toBe(200);
      expect(seen).not.toMatch(/evil|12345678/i);
      expect(reflectionOf(plain).rawHeaders.filter((_text, at, all) => all[at - 1] === 'via')).toEqual(['1.1 larder']);
      await attacked.through(path, { headers });
      const again = await attacked.through(path);
      expect([again.headers['x-cache'], again.body.equals(plain.body)]).toEqual(['HIT', true]);
    });

    it('a hop of HTTP/1.0', async () => {
      await attacked.raw(`GET /github${path} HTTP/1.0\r\nhost: x\r\n\r\n`);
      expect(stringify(reflectionOf(await attacked.through(path)))).not.toContain('1.0');
    });

    it('at once with others, on a URL that nothing is stored of', async () => {
      const hostile = Array.from({ length: 20 }, (_, at) => at % 2 === 0);
      const answers = await Promise.all(
        hostile.map((isHostile) => attacked.through(path, { headers: isHostile ? { 'x-mine': 'evil' } : {} })),
      );
      for (const [at, { body }] of answers.entries()) expect(body.toString().includes('evil')).toBe(hostile[at]);
    });

    it('and one response serves all requests with equal selecting fields', async () => {
      const each = (at: number): OutgoingHttpHeaders => ({
        ...{ 'x-mine': 'same', 'x-request-id': `id-${at}`, traceparent: `00-${at}`, 'x-forwarded-for': `10.0.0.${at}` },
        ...{ 'sec-fetch-mode': `mode-${at}`, referer: `https://a.example/${at}` },
      });
      for (const at of [1, 2, 3]) await attacked.through(path, { headers: each(at) });
      expect(attacked.origin.hits).toHaveLength(1);
    });

    it('and a field that is forwarded reaches the API with a GET and with a POST', async () => {
      for (const method of ['GET', 'POST']) {
        const answer = await attacked.through(path, { method, headers: { 'x-mine': 'seen' } });
        expect(reflectionOf(answer).rawHeaders.join()).toContain('x-mine,seen');
      }
    });
  },
);
