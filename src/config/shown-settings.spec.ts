import { shownSettings, withoutSecrets } from './shown-settings';

const given = {
  PORT: '80',
  ADMIN_TOKEN: 'the-admin',
  ADMIN_TOKENS: 'deploy:deploys-token, alice:alices-token',
  GITHUB_SHARE_TOKEN: 'true',
  GITHUB_WEBHOOK_SECRET: 'first-one, second-one',
  STRIPE_API_KEY: 'sk_1',
  REDIS_ENDPOINT_URI: 'redis://larder:p%40ss@host:6379/0',
};

describe('settings that are shown', () => {
  it('have no secret, and everything else as it was given', () => {
    expect(shownSettings(given)).toEqual({
      ...{
        PORT: '80',
        ADMIN_TOKEN: '(set)',
        ADMIN_TOKENS: '(set)',
        GITHUB_SHARE_TOKEN: 'true',
        GITHUB_WEBHOOK_SECRET: '(set)',
      },
      ...{ STRIPE_API_KEY: '(set)', REDIS_ENDPOINT_URI: 'redis://larder:(set)@host:6379/0' },
    });
  });

  it.each(['larder:hidden@host', 'redis://:hidden@host:1', 'rediss+sentinel://a:hidden@s1:1,s2:2/m'])(
    'have no password in %s',
    (uri) => expect(shownSettings({ REDIS_ENDPOINT_URI: uri })['REDIS_ENDPOINT_URI']).not.toContain('hidden'),
  );

  it.each(['the-admin', 'first-one', 'second-one', 'deploys-token', 'alices-token', 'sk_1', 'p%40ss', 'p@ss'])(
    'are what is taken out of a text of others: %s',
    (secret) => expect(withoutSecrets(`failed for ${secret}.`, given)).toBe('failed for (set).'),
  );
});
