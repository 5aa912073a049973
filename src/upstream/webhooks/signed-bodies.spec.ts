import { createHmac } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { SignedBodies as Bodies, type SignedBodyLimits } from './signed-bodies';
import { anyVerifier, hmacSignature, plainToken, type WebhookVerifier } from './webhook-verifiers';

const verifier = hmacSignature({ header: 'X-Hub-Signature-256', prefix: 'sha256=' });

/** Bodies with a signature in `X-Hub-Signature-256`. */
class SignedBodies extends Bodies {
  constructor(secrets: readonly string[], limits: SignedBodyLimits) {
    super(verifier, secrets, limits, () => 0);
  }

  receiveSigned(stream: PassThrough, declaredBytes: number, signature: string | undefined): Promise<Buffer> {
    return this.receive(stream, declaredBytes, (name) => (name === 'x-hub-signature-256' ? signature : undefined));
  }
}

const LIMITS = { maxBytes: 100, maxBytesTogether: 150, withinMs: 60_000 };
const sign = (body: string, secret = 'new') => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
const codeOf = (receiving: Promise<Buffer>) =>
  receiving.then(
    () => 'received',
    (error: unknown) => (error as { code?: string }).code,
  );

describe('signed bodies', () => {
  it('are received piece by piece, by any of the secrets', async () => {
    const bodies = new SignedBodies(['new', 'old'], LIMITS);
    for (const secret of ['new', 'old']) {
      const stream = new PassThrough();
      const receiving = bodies.receiveSigned(stream, 0, sign('one two', secret));
      stream.write('one ');
      stream.end('two');
      expect((await receiving).toString()).toBe('one two');
    }
  });

  it.each([undefined, '', 'sha256=', 'sha1=abc', `${sign('x')}0`, sign('x').slice(0, -1), ` ${sign('x')}`])(
    'are not read with the field %j',
    async (field) => {
      const stream = new PassThrough();
      expect(await codeOf(new SignedBodies(['new'], LIMITS).receiveSigned(stream, 0, field))).toBe('webhook-unsigned');
      expect(stream.readableFlowing).toBeNull();
    },
  );

  it('are refused with the signature of another body, or by another secret', async () => {
    const bodies = new SignedBodies(['new'], LIMITS);
    for (const field of [sign('y'), sign('x', 'another')]) {
      const stream = new PassThrough().end('x');
      expect(await codeOf(bodies.receiveSigned(stream, 0, field))).toBe('webhook-unsigned');
    }
  });

  describe('say what is wrong with the proof', () => {
    const timed = hmacSignature({ header: 'X-Sign', timestamp: 'X-Time', beforeBody: (time) => `${time}.` });
    const either = anyVerifier(plainToken({ header: 'X-Token' }), timed);
    const right = createHmac('sha256', 'the-secret').update('0.x').digest('hex');
    const another = createHmac('sha256', 'another').update('0.x').digest('hex');
    const missing = 'The delivery is not signed. Header fields that are missing or empty';
    const unlike =
      'The signature or token is too old, has another form than expected, or does not match a configured secret';

    const given = '(X-Time, X-Sign).';
    const wrong = 'The signature does not match the delivery with any configured secret';
    it.each<[string, WebhookVerifier, Readonly<Record<string, string>>, string]>([
      ['no field', timed, {}, `${missing}: X-Time, X-Sign.`],
      ['no time', timed, { 'x-sign': right }, `${missing}: X-Time.`],
      ['an empty signature', timed, { 'x-time': '0', 'x-sign': '' }, `${missing}: X-Sign.`],
      ['an old time', timed, { 'x-time': '301', 'x-sign': right }, `${unlike} ${given}`],
      ['a prefix', timed, { 'x-time': '0', 'x-sign': `v1=${right}` }, `${unlike} ${given}`],
      ['another secret', timed, { 'x-time': '0', 'x-sign': another }, `${wrong} ${given}`],
      ['none of several', either, {}, `${missing}, of which some suffice: X-Token, X-Time, X-Sign.`],
      [
        ...(['another token', either, { 'x-token': 'wrong' }] as const),
        `${unlike} (X-Token). Header fields that are missing or empty: X-Time, X-Sign.`,
      ],
    ])('with %s', async (_what, by, fields, sentence) => {
      const bodies = new Bodies(by, ['the-secret'], LIMITS, () => 0);
      const refused = bodies.receive(new PassThrough().end('x'), 0, (name) => fields[name]);
      await expect(refused).rejects.toMatchObject({ code: 'webhook-unsigned', message: sentence });
    });

    it('but not the secret, nor the signature or token of either side', async () => {
      const deliveries: Readonly<Record<string, string>>[] = [
        { 'x-time': '0', 'x-sign': another },
        { 'x-token': 'wrong-token' },
      ];
      for (const fields of deliveries) {
        const bodies = new Bodies(either, ['the-secret'], LIMITS, () => 0);
        const refused = bodies.receive(new PassThrough().end('x'), 0, (name) => fields[name]);
        await expect(refused).rejects.toThrow(/^(?![^]*(?:the-secret|wrong-token|[0-9a-f]{16}))/);
      }
    });
  });

  it('are refused as too large by their declared and their real length, and the rest is discarded', async () => {
    const bodies = new SignedBodies(['new'], LIMITS);
    expect(await codeOf(bodies.receiveSigned(new PassThrough(), 101, sign('x')))).toBe('payload-too-large');
    const stream = new PassThrough();
    const receiving = bodies.receiveSigned(stream, 0, sign('x'));
    stream.write('x'.repeat(101));
    expect(await codeOf(receiving)).toBe('payload-too-large');
    stream.end('x'.repeat(1_000_000));
    await new Promise((resolve) => stream.once('end', resolve));
  });

  it('make room where they are too many bytes together, the largest first', async () => {
    const bodies = new SignedBodies(['new'], LIMITS);
    const [large, small, later] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const first = codeOf(bodies.receiveSigned(large, 0, sign('x')));
    large.write('x'.repeat(90));
    const others = [small, later].map((stream) => codeOf(bodies.receiveSigned(stream, 0, sign('y'.repeat(70)))));
    small.end('y'.repeat(70));
    later.end('y'.repeat(70));
    expect(await first).toBe('overloaded');
    expect(await Promise.all(others)).toEqual(['received', 'received']);
  });

  it('are given up when they have not arrived in time, or broke off', async () => {
    const slow = new SignedBodies(['new'], { ...LIMITS, withinMs: 5 });
    expect(await codeOf(slow.receiveSigned(new PassThrough(), 0, sign('x')))).toBe('request-timeout');
    const broken = new PassThrough();
    const receiving = codeOf(new SignedBodies(['new'], LIMITS).receiveSigned(broken, 0, sign('x')));
    broken.destroy();
    expect(await receiving).toBe('request-invalid');
  });
});
