import { Partitions } from './partition';

describe('a credential', () => {
  const partitions = new Partitions('a-secret-of-the-tests');
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
  const idsOf = (written: readonly string[]): string[] => written.map((one) => partitions.idOf(one));

  it('is the same however its token is written', () => {
    const written = [
      ...['Bearer ghp_x', 'bearer ghp_x', 'BEARER  ghp_x', 'token ghp_x', 'Token  ghp_x', ' Bearer\t ghp_x '],
      ...['x-access-token:ghp_x', 'ghp_x:x-oauth-basic', 'octocat:ghp_x', 'hubot:ghp_x', 'ghp_x:', ':ghp_x'].map(basic),
      basic('octocat:ghp_x').replace('Basic', 'bAsIc '),
    ];
    expect(new Set(idsOf(written)).size).toBe(1);
    expect(idsOf(written).join()).not.toContain('ghp_');
  });

  it.each(['t0ken', 'ghs_16C7e42F292c6912E7710c838347Ae178B4a', '0123456789abcdef0123456789abcdef01234567', 'v1.1f'])(
    'knows the token %s in a Basic credential that says that it is one',
    (token) => {
      const written = [`Bearer ${token}`, basic(`x-access-token:${token}`), basic(`${token}:x-oauth-basic`)];
      expect(new Set(idsOf(written)).size).toBe(1);
    },
  );

  it('is another with another token, scheme, or user of a password', () => {
    const written = [
      ...['Bearer ghp_x', 'Bearer ghp_X', 'Bearer ghp_x y', 'Basic ghp_x', 'ghp_x', 'Bearer', '', 'Digest ghp_x'],
      ...['alice:secret', 'bob:secret', 'secret:', 'alice:', 'alice', ':', 'x-access-token:', ':x-oauth-basic'].map(
        basic,
      ),
      ...['Bearer secret', 'Bearer alice'],
    ];
    expect(new Set(idsOf(written)).size).toBe(written.length);
  });
});
