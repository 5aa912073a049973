import type { UpstreamDefinition, UpstreamSettings } from '../upstream-definition';
import { Callers } from './callers';
import { NamedSecrets } from '../../kernel/named-secrets';
import { Partitions } from './partition';

const SECRET = 'a-secret-of-the-tests';
const inHeader = (name: string, value: string) => ({ in: 'header', name, value }) as const;
const inQuery = (name: string, value: string) => ({ in: 'query', name, value }) as const;

describe('the partition of a caller', () => {
  const partitions = new Partitions(SECRET, { rules: { headers: ['Private-Token'], query: ['key'] } });
  const idOf = (...rawHeaders: string[]) => partitions.of(rawHeaders).id;

  it('is that of the anonymous callers without a credential', () => {
    expect(partitions.of(['accept', 'a', 'x-api-key', 'k', 'cookie', 'c'])).toEqual({ id: '-', own: undefined });
  });

  it('depends on every field and parameter that the definition names, and hides each', () => {
    const ids = [
      idOf('authorization', 'Bearer T'),
      idOf('authorization', 'Basic T'),
      idOf('PRIVATE-TOKEN', 'T'),
      idOf('private-token', 'T2'),
      idOf('private-token', 'T', 'authorization', 'Bearer T'),
      partitions.of([], [inQuery('key', 'T')]).id,
      partitions.of(['private-token', 'T'], [inQuery('key', 'T')]).id,
      '-',
    ];
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids.slice(0, -1)) expect(id).toMatch(/^[\w-]{16}$/);
  });

  it.each([
    ...['Bearer s3cret-of-admins', 'bearer  s3cret-of-admins ', 'token s3cret-of-admins', 's3cret-of-admins'],
    ...[
      'Bearer "s3cret-of-admins"',
      "bearer 's3cret-of-admins'",
      '"Bearer s3cret-of-admins"',
      'Bearer <s3cret-of-admins>',
    ],
    ...['token alice:s3cret-of-admins', 'Bearer "alice:s3cret-of-admins"', 'Token token="s3cret-of-admins"'],
    ...['Bearer Bearer s3cret-of-admins', 'alice:s3cret-of-admins', 'Bearer alice: s3cret-of-admins'],
    ...['me:s3cret-of-admins', 's3cret-of-admins:', 's3cret-of-admins', 's3cret-of-admins:x', '"s3cret-of-admins"'].map(
      (pair) => `Basic ${Buffer.from(pair).toString('base64')}`,
    ),
  ])('is none with an admin token of the service, each time: %s', (value) => {
    const adminTokens = new NamedSecrets([{ name: 'alice', token: 's3cret-of-admins' }]);
    const rules = { headers: ['Private-Token'], query: ['key'] };
    const guarded = new Partitions(SECRET, { rules, adminTokens });
    const refusal = 'The credential is an admin token of this service, and was not sent';
    for (const name of ['authorization', 'private-token', 'authorization'])
      expect(() => guarded.of([name, value])).toThrow(refusal);
    expect(() => guarded.idOfField('authorization', value)).toThrow(refusal);
    expect(() => guarded.of(['authorization', 'Bearer other'], [inQuery('key', 's3cret%2Dof-admins')])).toThrow(
      refusal,
    );
    for (const other of ['s3cret-of-admins-2', 'alice', 'x"s3cret-of-admins"', 's3cret', 'a:b:s3cret-of-admin'])
      expect(guarded.of(['authorization', `Bearer ${other}`]).id).toMatch(/^[\w-]{16}$/);
  });

  it.each([false, true])('is none with an admin token where the profile is strict: %s', (isStrict) => {
    const adminTokens = new NamedSecrets([{ name: 'alice', token: 's3cret-of-admins' }]);
    const settings = { token: undefined, sharesToken: false, isStrict } as UpstreamSettings;
    const definition = { name: 'api' } as UpstreamDefinition;
    const callers = new Callers(definition, settings, SECRET, () => true, adminTokens);
    expect(() => callers.partitionOf(['authorization', 'Bearer s3cret-of-admins'], [])).toThrow('not sent to the API');
    const other = callers.partitionOf(['authorization', 'Bearer another'], []);
    expect(other === callers.anonymous).toBe(isStrict);
  });

  it('is the same in any order of fields and case of the scheme', () => {
    expect(idOf('authorization', 'bearer  T', 'private-token', 'x')).toBe(
      idOf('Private-Token', ' x', 'Authorization', 'BEARER T'),
    );
  });

  it('sends on what the caller has sent', () => {
    const { own } = partitions.of(['Private-Token', ' T '], [inQuery('key', 'a%2B')]);
    expect(own).toEqual({ fields: ['private-token', 'T'], query: 'key=a%2B' });
  });

  it('is refused where one field comes twice', () => {
    expect(() => idOf('private-token', 'a', 'PRIVATE-TOKEN', 'b')).toThrow('more than one Private-Token field');
    expect(() => idOf('authorization', 'a', 'authorization', 'a')).toThrow('more than one Authorization field');
  });

  it('is one for all spellings that the definition calls the same', () => {
    const same = new Partitions(SECRET, {
      rules: { headers: ['private-token'], canonical: ({ value }) => value.replace(/^Bearer /, '') },
    });
    expect(same.of(['private-token', 'T']).id).toBe(same.of(['authorization', 'Bearer T']).id);
  });

  it.each([
    'cookie',
    'x-api-key',
    'x-amz-security-token',
    'x-authorization',
    'ocp-apim-subscription-key',
    'x-session-id',
  ])('is one of its own with the forwarded field %s, which no definition names', (name) => {
    const forwarding = new Partitions(SECRET, { rules: {}, forwards: (one) => one === name });
    expect(forwarding.of([name, 'a']).id).not.toBe('-');
    expect(forwarding.of([name, 'a']).id).not.toBe(forwarding.of([name, 'b']).id);
  });

  it('is not split by a forwarded field that is no credential', () => {
    const forwarding = new Partitions(SECRET, { rules: {}, forwards: () => true });
    expect(forwarding.of(['x-tenant', 'a', 'accept', 'b', 'x-key-frames', 'c', 'idempotency-key', 'd']).id).toBe('-');
  });

  it('of a token is the one that its callers have, and of a shared token also that of the anonymous', () => {
    const sharing = new Partitions(SECRET, {
      rules: { query: ['key'], send: (value) => inQuery('key', value) },
      sharedToken: 'a+b',
    });
    const own = sharing.of([], [inQuery('key', 'a%2Bb')]).id;
    expect(sharing.idsOf('a+b')).toEqual([own, sharing.anonymousId]);
    expect(sharing.anonymousId).toMatch(/^-[\w-]{15}$/);
    expect(sharing.credentialOf('a+b')).toEqual(inQuery('key', 'a%2Bb'));
    expect(partitions.idsOf('T')).toEqual([partitions.idOf([inHeader('authorization', 'Bearer T')])]);
  });

  it('of one caller never looks like one that callers share', () => {
    const ids = Array.from({ length: 1_000 }, (_, n) => partitions.idsOf(`token ${n}`)).flat();
    expect(new Set(ids).size).toBe(1_000);
    expect(ids.filter((id) => id.startsWith('-'))).toEqual([]);
  });
});
