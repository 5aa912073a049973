import { createHmac } from 'node:crypto';
import { anyVerifier, hmacSignature, plainToken, standardWebhooks, type WebhookVerifier } from './webhook-verifiers';

const SECRETS = ['new-secret', 'old-secret'];
const BODY = '{"a":1}';
const NOW = 1_800_000_000_000;

const verify = (
  verifier: WebhookVerifier,
  fields: Readonly<Record<string, string>>,
  { body = BODY, secrets = SECRETS } = {},
): boolean | undefined => {
  const check = verifier.begin(secrets, (name) => fields[name], NOW);
  for (const character of body) check?.add(Buffer.from(character));
  return check?.isValid();
};

describe('an HMAC over the raw body', () => {
  it.each([
    [{ header: 'X-Hub-Signature-256', prefix: 'sha256=' }, 'sha256', 'hex', 'sha256='],
    [{ header: 'X-Shop-Hmac', encoding: 'base64' }, 'sha256', 'base64', ''],
    [{ header: 'X-Signature', algorithm: 'sha512', prefix: 'v0=' }, 'sha512', 'hex', 'v0='],
    [{ header: 'X-Old', algorithm: 'sha1', prefix: 'sha1=', encoding: 'base64' }, 'sha1', 'base64', 'sha1='],
  ] as const)('is proved with %j', (options, algorithm, encoding, prefix) => {
    const verifier = hmacSignature(options);
    const name = options.header.toLowerCase();
    const sign = (secret: string, body = BODY) => prefix + createHmac(algorithm, secret).update(body).digest(encoding);
    for (const secret of SECRETS) expect(verify(verifier, { [name]: sign(secret) })).toBe(true);
    expect(verify(verifier, { [name]: sign('another') })).toBe(false);
    expect(verify(verifier, { [name]: sign('new-secret', `${BODY} `) })).toBe(false);
    for (const wrong of [
      '',
      prefix,
      `${sign('new-secret')}0`,
      sign('new-secret').slice(0, -3),
      ` ${sign('new-secret')}`,
    ])
      expect(verify(verifier, { [name]: wrong })).toBeUndefined();
    expect(verify(verifier, {})).toBeUndefined();
    expect(verifier.headers).toEqual([options.header]);
  });
});

describe('an HMAC over a time and the raw body', () => {
  const signed = (text: string, time: string) => ({
    ...{ 'x-time': time, 'x-signature': createHmac('sha256', 'new-secret').update(text).digest('base64') },
  });
  const verifier = hmacSignature({ header: 'X-Signature', encoding: 'base64', timestamp: 'X-Time' });

  it.each([String(NOW / 1_000), String(NOW), String(NOW / 1_000 - 299)])('is proved at %s', (time) => {
    expect(verify(verifier, signed(`${time}.${BODY}`, time))).toBe(true);
    expect(verify(verifier, { ...signed(`${time}.${BODY}`, time), 'x-time': String(NOW / 1_000 - 1) })).toBe(false);
    expect(verify(verifier, signed(BODY, time))).toBe(false);
  });

  it.each(['', 'soon', String(NOW / 1_000 - 301), String(NOW / 1_000 + 301), `${NOW / 1_000}.5`])(
    'is not proved at %j',
    (time) => {
      expect(verify(verifier, signed(`${time}.${BODY}`, time))).toBeUndefined();
    },
  );

  it('has the text in front of the body that the API signs, and names both fields', () => {
    const time = String(NOW / 1_000);
    const slack = hmacSignature({
      ...{ header: 'X-Signature', encoding: 'base64', timestamp: 'X-Time', toleranceMs: 1 },
      beforeBody: (at) => `v0:${at}:`,
    });
    expect(verify(slack, signed(`v0:${time}:${BODY}`, time))).toBe(true);
    expect(verify(slack, signed(`${time}.${BODY}`, time))).toBe(false);
    expect(slack.headers).toEqual(['X-Time', 'X-Signature']);
  });
});

describe('an HMAC in a list with its time', () => {
  const verifier = hmacSignature({ header: 'X-Signature', members: { timestamp: 't', signature: 'v1' } });
  const time = NOW / 1_000;
  const sign = (secret: string, at: number | string = time) =>
    createHmac('sha256', secret).update(`${at}.${BODY}`).digest('hex');
  const check = (field: string) => verify(verifier, { 'x-signature': field });

  it('is proved by one of several signatures, with other members and blanks between them', () => {
    expect(check(`t=${time},v1=${sign('old-secret')}`)).toBe(true);
    expect(check(`v0=abc, v1=${sign('another')}, v1=${sign('new-secret')}, t=${time}`)).toBe(true);
    expect(verifier.headers).toEqual(['X-Signature']);
  });

  it('is not proved with a time that was not signed', () => {
    expect(check(`t=${time - 1},v1=${sign('new-secret')}`)).toBe(false);
    expect(check(`t=${time - 1},t=${time},v1=${sign('new-secret')}`)).toBe(false);
  });

  it.each([
    '',
    sign('new-secret'),
    `t=${time}`,
    `v1=${sign('new-secret', '')}`,
    `t=,v1=${sign('new-secret', '')}`,
    `t=${time},v1=`,
    `t=${time},v0=${sign('new-secret')}`,
    `t=${time - 301},v1=${sign('new-secret', time - 301)}`,
    `t=${time},${'v0=a,'.repeat(20)}v1=${sign('new-secret')}`,
  ])('is none in %j', (field) => {
    expect(check(field)).toBeUndefined();
  });
});

describe('Standard Webhooks', () => {
  const key = Buffer.from('a key of some bytes');
  const secrets = [`whsec_${key.toString('base64')}`, 'a-plain-secret'];
  const signed = (signature: string, at = NOW / 1_000) => ({
    ...{ 'webhook-id': 'msg_1', 'webhook-timestamp': String(at), 'webhook-signature': signature },
  });
  const sign = (secret: Buffer | string, at = NOW / 1_000) =>
    `v1,${createHmac('sha256', secret).update(`msg_1.${at}.${BODY}`).digest('base64')}`;
  const check = (fields: Readonly<Record<string, string>>) => verify(standardWebhooks(), fields, { secrets });

  it('are proved with a key of either form, by one of several signatures', () => {
    expect(check(signed(sign(key)))).toBe(true);
    expect(check(signed(sign('a-plain-secret')))).toBe(true);
    expect(check(signed(`v1a,xyz ${sign('wrong')} ${sign(key)}`))).toBe(true);
  });

  it('are not proved with another key, id or time', () => {
    expect(check(signed(sign('another')))).toBe(false);
    expect(check({ ...signed(sign(key)), 'webhook-id': 'msg_2' })).toBe(false);
    expect(check(signed(sign(key, NOW / 1_000), NOW / 1_000 + 1))).toBe(false);
  });

  it.each([-301, 301])('are refused %i s away, so that an old delivery is not sent again', (seconds) => {
    const at = NOW / 1_000 + seconds;
    expect(check(signed(sign(key, at), at))).toBeUndefined();
  });

  it.each([{ 'webhook-id': '' }, { 'webhook-timestamp': 'x' }, { 'webhook-signature': 'v2,abc' }])(
    'are not read with %j',
    (fields) => {
      expect(check({ ...signed(sign(key)), ...fields })).toBeUndefined();
    },
  );

  it('have a secret that is base64 where it says so', () => {
    expect(standardWebhooks().problemOfSecret?.('whsec_')).toBe('must be whsec_ and base64');
    expect(standardWebhooks().problemOfSecret?.(secrets[0]!)).toBeUndefined();
  });
});

describe('any of several proofs', () => {
  const [token, signature] = [plainToken({ header: 'X-Token' }), hmacSignature({ header: 'X-Signature' })];
  const verifier = anyVerifier(signature, token, standardWebhooks());
  const signed = createHmac('sha256', SECRETS[0]!).update(BODY).digest('hex');

  it('suffices, alone or beside a wrong one', () => {
    expect(verify(verifier, { 'x-token': SECRETS[0]! })).toBe(true);
    expect(verify(verifier, { 'x-signature': signed })).toBe(true);
    expect(verify(verifier, { 'x-signature': '0'.repeat(64), 'x-token': SECRETS[0]! })).toBe(true);
    expect(verify(verifier, { 'x-signature': signed, 'x-token': 'wrong' })).toBe(true);
  });

  it('is needed, and all their fields are named', () => {
    expect(verify(verifier, {})).toBeUndefined();
    expect(verify(verifier, { 'x-token': 'wrong' })).toBeUndefined();
    expect(verify(verifier, { 'x-signature': '0'.repeat(64) })).toBe(false);
    expect(verifier.headers.slice(0, 2)).toEqual(['X-Signature', 'X-Token']);
    expect(verifier.problemOfSecret?.('whsec_')).toBe('must be whsec_ and base64');
  });
});

describe('a plain token', () => {
  const verifier = plainToken({ header: 'X-Gitlab-Token' });

  it('is one of the secrets, whole', () => {
    for (const secret of SECRETS) expect(verify(verifier, { 'x-gitlab-token': secret })).toBe(true);
    for (const wrong of ['', 'new', 'new-secret ', 'another'])
      expect(verify(verifier, { 'x-gitlab-token': wrong })).toBeUndefined();
    expect(verify(verifier, {})).toBeUndefined();
  });
});
