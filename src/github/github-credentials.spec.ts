import { Partitions, QueryCredentials } from '../upstream';
import { githubCredentials } from './github-credentials';

describe('a credential of GitHub', () => {
  const partitions = new Partitions('a-secret-of-the-tests', { rules: githubCredentials });
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
  const idsOf = (written: readonly string[]): string[] =>
    written.map((value) => partitions.idOfField('authorization', value));

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
    'knows the token %s in a Basic credential with a token user name',
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

describe('a token of GitHub in a URL', () => {
  const credentials = new QueryCredentials(githubCredentials, 'GitHub');
  const TOKEN = `ghp_${'a1B2'.repeat(9)}`;

  it.each([
    ...[`/a?q=${TOKEN}`, `/a?${TOKEN}`, `/a/${TOKEN}/b`, `/a?q=x%20${TOKEN.replace('_', '%5F')}`],
    ...[`/a?x=github_pat_${'1'.repeat(22)}_${'z'.repeat(59)}`, `/a?x=ghs%255F${'a'.repeat(36)}`, '/a?github-token=S'],
  ])('is refused, and not repeated: %s', (target) => {
    const [path = '', query = ''] = target.split('?');
    const separate = () => credentials.separate(path, query);
    expect(separate).toThrow(/credential \((?:a GitHub token|the parameter "github-token")\)/);
    expect(separate).not.toThrow(/S\b|a1B2|zzz/);
  });

  it('is none where it only begins like one', () => {
    expect(credentials.separate('/search/code', 'q=ghp_short')).toEqual({ query: 'q=ghp_short', credentials: [] });
  });
});
